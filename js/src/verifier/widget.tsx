/** The point verifier as an anywidget front end. */

import "../ui/base.css";
import "./widget.css";
import { listenToKeys } from "../ui/keys";
import { mounted } from "../ui/mounted";
import { createRoot } from "../ui/root";
import { widget } from "../wire/widget";
import { ACTIONS } from "./actions";
import { Layout } from "./layout";
import type { VerifierTraits } from "./traits";
import { View } from "./view";

export default widget<VerifierTraits>((model, element, name) => {
  const root = createRoot("Point verifier");
  root.dataset.jpSuppressContextMenu = "true";
  root.tabIndex = -1;
  const view = new View(model, root, name, ACTIONS);
  listenToKeys(root, view.commands, view.signal);
  return mounted(element, root, view, <Layout view={view} />, () => view.panes?.focus());
});
