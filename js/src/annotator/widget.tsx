/** The annotator as an anywidget front end. */

import "../ui/base.css";
import "./widget.css";
import { listenToKeys } from "../ui/keys";
import { mounted } from "../ui/mounted";
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
  return mounted(element, root, app, <Layout app={app} />, () => app.canvas?.focus());
});
