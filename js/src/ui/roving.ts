/**
 * A toolbar is one stop for Tab, and the arrows go through it, as everywhere: whoever works by
 * keys is not to pass twenty buttons on the way to the picture. A slider in it is moved by the
 * arrows up and down, or it could not be passed.
 */

const CONTROLS = "button:not(:disabled), input:not(:disabled)";
const MENU = ".ev-menu";

/** Moves the focus to the control before or behind, or to the first or last, by their keys. */
export function step(event: KeyboardEvent, controls: HTMLElement[], back: string, on: string) {
  const at = controls.indexOf(event.target as HTMLElement);
  if (at < 0 || event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
  const to = {
    [on]: (at + 1) % controls.length,
    [back]: (at - 1 + controls.length) % controls.length,
    Home: 0,
    End: controls.length - 1,
  }[event.key];
  if (to === undefined) return;
  event.preventDefault();
  event.stopPropagation();
  controls[to].focus();
}

/** Lets the arrows go through the controls of a toolbar; returns what ends it. */
export function rove(toolbar: HTMLElement): () => void {
  let latest: Element | null = null;
  const controls = () =>
    [...toolbar.querySelectorAll<HTMLElement>(CONTROLS)].filter((each) => !each.closest(MENU));
  const mark = () => {
    const all = controls();
    const stop = all.find((each) => each === latest) ?? all[0];
    for (const each of all) {
      const index = each === stop ? 0 : -1;
      if (each.tabIndex !== index) each.tabIndex = index;
    }
  };
  const remember = (event: FocusEvent) => {
    const at = event.target as HTMLElement;
    if (at.closest(MENU)) return;
    latest = at;
    mark();
  };
  const go = (event: KeyboardEvent) => {
    const seen = controls().filter((each) => each.checkVisibility());
    step(event, seen, "ArrowLeft", "ArrowRight");
  };
  mark();
  const observer = new MutationObserver(mark);
  observer.observe(toolbar, { subtree: true, childList: true, attributeFilter: ["disabled"] });
  toolbar.addEventListener("focusin", remember);
  toolbar.addEventListener("keydown", go);
  return () => {
    observer.disconnect();
    toolbar.removeEventListener("focusin", remember);
    toolbar.removeEventListener("keydown", go);
  };
}
