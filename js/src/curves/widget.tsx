/** The curves as an anywidget front end; see `annotator.tsx` for why it is a factory. */

import type { AnyModel, RenderProps } from "@anywidget/types";
import { render as draw } from "preact";
import "../ui/base.css";
import "./widget.css";
import { Layout } from "./layout";
import type { CurvesTraits } from "./traits";
import { View } from "./view";

export default () => ({
  render({ model, el }: RenderProps<CurvesTraits>) {
    const root = document.createElement("div");
    root.className = "evavos";
    root.setAttribute("role", "group");
    root.setAttribute("aria-label", "Quality curves");
    root.dataset.lmSuppressShortcuts = "true";
    const view = new View(model as AnyModel<CurvesTraits>, root);
    draw(<Layout view={view} />, root);
    el.append(root);
    return () => {
      view.close();
      draw(null, root);
      root.remove();
    };
  },
});
