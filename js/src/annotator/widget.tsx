/** The annotator as an anywidget front end. */

import { render as draw } from "preact";
import "../ui/base.css";
import "./widget.css";
import { keepFocus } from "../ui/focus";
import { listenToKeys } from "../ui/keys";
import { createRoot } from "../ui/root";
import { widget } from "../wire/widget";
import { ACTIONS } from "./actions/table";
import { App } from "./app";
import { Layout } from "./panels/layout";
import type { Traits } from "./traits";

export default widget<Traits>((model, element, name) => {
  const root = createRoot("Video mask annotator");
  // The right mouse button says what is not the object.
  root.dataset.jpSuppressContextMenu = "true";
  root.tabIndex = -1;
  const app = new App(model, root, name, ACTIONS);
  listenToKeys(root, app.commands, app.signal);
  keepFocus(root, () => app.canvas?.focus(), app.signal);
  draw(<Layout app={app} />, root);
  element.append(root);
  app.start();
  return {
    receive: (content, buffers) => app.receive(content, buffers),
    close() {
      app.close();
      draw(null, root);
      root.remove();
    },
  };
});
