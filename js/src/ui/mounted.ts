/** A widget's root with its layout in it, from being shown until it is taken away. */

import { render as draw, type VNode } from "preact";
import { keepFocus } from "./focus";

/** What goes on in a view. */
interface Mounted<Content, Buffers> {
  kernel: { receive(content: Content, buffers: Buffers): void };
  start(): void;
  close(): void;
}

/**
 * Draws a layout and starts its view.
 *
 * @param home takes the focus over where what had it is gone; without it, what is near does
 * @returns what the host is told: where messages go, and how it ends
 */
export function mounted<Content, Buffers>(
  element: HTMLElement,
  root: HTMLElement,
  view: Mounted<Content, Buffers>,
  layout: VNode,
  home?: () => void,
) {
  const end = new AbortController();
  keepFocus(root, end.signal, home);
  draw(layout, root);
  element.append(root);
  view.start();
  return {
    receive: (content: Content, buffers: Buffers) => view.kernel.receive(content, buffers),
    close() {
      end.abort();
      view.close();
      draw(null, root);
      root.remove();
    },
  };
}
