/** The queue of a campaign as an anywidget front end. */

import { render as draw } from "preact";
import "../ui/base.css";
import "./widget.css";
import { createRoot } from "../ui/root";
import { widget } from "../wire/widget";
import { Layout } from "./layout";
import { type CampaignTraits, View } from "./view";

export default widget<CampaignTraits>((model, element, name) => {
  const root = createRoot("Campaign");
  const view = new View(model, root, name);
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
