/**
 * Keeps the keyboard in the widget: when the focused button is removed or disabled by what it
 * did, something else takes the focus over, so that the next key is not lost to the page.
 */

const FOCUSABLE = ":is(button, input, select):enabled, [tabindex='0']";

/** @param home takes the focus over; without it, what is nearest to where the focus was does */
export function keepFocus(root: HTMLElement, signal: AbortSignal, home?: () => void): void {
  let inside = false;
  /** Where the focus was, and what is around it, up to the root: an element that is removed no longer knows. */
  let around: HTMLElement[] = [];
  const leave = (event: Event) => {
    if (!event.composedPath().includes(root)) inside = false;
  };
  root.addEventListener(
    "focusin",
    (event) => {
      inside = true;
      const path = event.composedPath() as HTMLElement[];
      around = path.slice(0, path.indexOf(root) + 1);
    },
    { signal },
  );
  document.addEventListener("focusin", leave, { signal });
  document.addEventListener("pointerdown", leave, { signal, capture: true });
  const nearest = () => {
    const there = around.filter((each) => root.contains(each));
    const found = there.map((each) => each.querySelector<HTMLElement>(FOCUSABLE)).find(Boolean);
    found?.focus();
  };
  const repair = () => {
    const { activeElement } = root.getRootNode() as Document | ShadowRoot;
    const lost = activeElement === null || activeElement === document.body;
    if (inside && lost && document.hasFocus()) (home ?? nearest)();
  };
  const observer = new MutationObserver(() => {
    // A disabled element gives its focus up when the page is next drawn.
    if (inside) requestAnimationFrame(() => requestAnimationFrame(repair));
  });
  observer.observe(root, { subtree: true, childList: true, attributeFilter: ["disabled"] });
  signal.addEventListener("abort", () => observer.disconnect(), { once: true });
}
