/** The curves as an anywidget front end; see `annotator.tsx` for why it is a factory. */

import type { AnyModel, RenderProps } from "@anywidget/types";
import { render as draw } from "preact";
import "./base.css";
import "./curves.css";
import { Layout } from "./curves/layout";
import type { CurvesTraits } from "./curves/traits";
import { View } from "./curves/view";

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
