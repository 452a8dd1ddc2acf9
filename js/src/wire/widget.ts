/**
 * A widget as an anywidget front end.
 *
 * The default export of a widget is a factory: hosts that share one module between widgets still
 * get one closure per model. The listener is set before `initialize` returns, because messages
 * that come earlier are held for it and later ones would be lost.
 */

import type { AnyModel, InitializeProps, RenderProps } from "@anywidget/types";
import type { Incoming } from "./channel";

/** One display of a widget. */
export interface WidgetView {
  receive(content: Incoming, buffers: DataView[]): void;
  close(): void;
}

/** @param show displays a model in an element, under a name that is unique over all pages */
export function widget<T extends object>(
  show: (model: AnyModel<T>, element: HTMLElement, name: string) => WidgetView,
) {
  return () => {
    const views = new Set<WidgetView>();

    function initialize({ model }: InitializeProps<T>) {
      const receive = (content: Incoming, buffers: DataView[]) => {
        for (const view of views) view.receive(content, buffers);
      };
      model.on("msg:custom", receive);
      return () => model.off("msg:custom", receive);
    }

    function render({ model, el }: RenderProps<T>) {
      const view = show(model as AnyModel<T>, el, viewName());
      views.add(view);
      return () => {
        views.delete(view);
        view.close();
      };
    }

    return { initialize, render };
  };
}

/** `crypto.randomUUID` is missing where a server is reached without TLS. */
const viewName = () =>
  [...crypto.getRandomValues(new Uint32Array(3))].map((n) => n.toString(36)).join("");
