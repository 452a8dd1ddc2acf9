/** The element that a view lives in. */

/**
 * Keys and the right mouse button stay in the widget; the attributes ask JupyterLab for that.
 *
 * @param label what the widget is, for those who listen
 */
export function createRoot(label: string): HTMLElement {
  const root = document.createElement("div");
  root.className = "evavos";
  root.setAttribute("role", "group");
  root.setAttribute("aria-label", label);
  root.dataset.lmSuppressShortcuts = "true";
  return root;
}
