/** The queue of a campaign as an anywidget front end. */

import "../ui/base.css";
import "./widget.css";
import { mounted } from "../ui/mounted";
import { createRoot } from "../ui/root";
import { widget } from "../wire/widget";
import { Layout } from "./layout";
import { type CampaignTraits, View } from "./view";

export default widget<CampaignTraits>((model, element, name) => {
  const root = createRoot("Campaign");
  const view = new View(model, root, name);
  return mounted(element, root, view, <Layout view={view} />);
});
