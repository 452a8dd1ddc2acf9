/**
 * Keeps the keyboard in the widget: when the focused button is removed or disabled by what it
 * did, the picture takes the focus over, so that the next key is not lost to the page.
 */

/** @param home takes the focus over */
export function keepFocus(root: HTMLElement, home: () => void, signal: AbortSignal): void {
  let inside = false;
  const leave = (event: Event) => {
    if (!event.composedPath().includes(root)) inside = false;
  };
  root.addEventListener(
    "focusin",
    () => {
      inside = true;
    },
    { signal },
  );
  document.addEventListener("focusin", leave, { signal });
  document.addEventListener("pointerdown", leave, { signal, capture: true });
  const repair = () => {
    const { activeElement } = root.getRootNode() as Document | ShadowRoot;
    const lost = activeElement === null || activeElement === document.body;
    if (inside && lost && document.hasFocus()) home();
  };
  const observer = new MutationObserver(() => {
    // A disabled element gives its focus up when the page is next drawn.
    if (inside) requestAnimationFrame(() => requestAnimationFrame(repair));
  });
  observer.observe(root, { subtree: true, childList: true, attributeFilter: ["disabled"] });
  signal.addEventListener("abort", () => observer.disconnect(), { once: true });
}
