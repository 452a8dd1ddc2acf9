/**
 * The annotator as an anywidget front end.
 *
 * The default export is a factory: hosts that share one module between widgets still get one
 * closure per model. The listener is set before `initialize` returns, because messages that
 * come earlier are held for it and later ones would be lost.
 */

import type { AnyModel, InitializeProps, RenderProps } from "@anywidget/types";
import { render as draw } from "preact";
import "../ui/base.css";
import "./widget.css";
import { keepFocus } from "../ui/focus";
import { listenToKeys } from "../ui/keys";
import type { Incoming } from "../wire/channel";
import type { Traits } from "../wire/synced";
import { App } from "./app";
import { Layout } from "./panels/layout";

export default () => {
  const views = new Set<App>();

  function initialize({ model }: InitializeProps<Traits>) {
    const receive = (content: Incoming, buffers: DataView[]) => {
      for (const view of views) view.receive(content, buffers);
    };
    model.on("msg:custom", receive);
    return () => model.off("msg:custom", receive);
  }

  function render({ model, el }: RenderProps<Traits>) {
    const root = createRoot();
    const app = new App(model as AnyModel<Traits>, root, viewName());
    views.add(app);
    listenToKeys(app);
    keepFocus(app);
    draw(<Layout app={app} />, root);
    el.append(root);
    app.start();
    return () => {
      views.delete(app);
      app.close();
      draw(null, root);
      root.remove();
    };
  }

  return { initialize, render };
};

/** Unique over all pages; `crypto.randomUUID` is missing where a server is reached without TLS. */
const viewName = () =>
  [...crypto.getRandomValues(new Uint32Array(3))].map((n) => n.toString(36)).join("");

/** Keys and the right mouse button stay in the widget; the attributes ask JupyterLab for that. */
function createRoot(): HTMLElement {
  const root = document.createElement("div");
  root.className = "evavos";
  root.tabIndex = -1;
  root.setAttribute("role", "group");
  root.setAttribute("aria-label", "Video mask annotator");
  root.dataset.lmSuppressShortcuts = "true";
  root.dataset.jpSuppressContextMenu = "true";
  return root;
}
