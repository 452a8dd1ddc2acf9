/** The policy explorer as an anywidget front end. */

import "../ui/base.css";
import "./widget.css";
import { mounted } from "../ui/mounted";
import { createRoot } from "../ui/root";
import { widget } from "../wire/widget";
import { Layout } from "./layout";
import type { PolicyTraits } from "./traits";
import { View } from "./view";

export default widget<PolicyTraits>((model, element, name) => {
  const root = createRoot("Policy explorer");
  const view = new View(model, root, name);
  return mounted(element, root, view, <Layout view={view} />);
});
