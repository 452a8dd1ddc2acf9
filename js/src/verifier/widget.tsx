/** The point verifier as an anywidget front end. */

import { render as draw } from "preact";
import "../ui/base.css";
import "./widget.css";
import { keepFocus } from "../ui/focus";
import { listenToKeys } from "../ui/keys";
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
  keepFocus(root, () => view.panes?.focus(), view.signal);
  draw(<Layout view={view} />, root);
  element.append(root);
  view.start();
  return {
    receive: (content, buffers) => view.receive(content, buffers),
    close() {
      view.close();
      draw(null, root);
      root.remove();
    },
  };
});
