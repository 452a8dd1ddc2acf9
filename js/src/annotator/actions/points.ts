/** Verifying proposed points; the keys are those of the point verifier. */

import type { Action } from "../../ui/actions";
import type { App } from "../app";
import type { PointLabel } from "../messages";
import { asksPoint, hasDraft } from "./conditions";

const answer = (label: PointLabel, name: string, key: string): Action<App> => ({
  id: `point.${label}`,
  group: "Proposed points",
  label: name,
  keys: [key],
  run: (app) => app.editor.verifying.answer(label),
  enabled: asksPoint,
  mode: "points",
});

/** Whether points of the shown frame can be proposed. */
export const canVerify = (app: App): boolean =>
  app.editor.objects.canEdit.value &&
  !asksPoint(app) &&
  !hasDraft(app) &&
  app.editor.annotations.showsMask;

export const POINT_ACTIONS: readonly Action<App>[] = [
  {
    id: "points.verify",
    group: "Proposed points",
    label: "Verify ten points",
    keys: ["Shift+c"],
    run: (app) => app.editor.verifying.start(),
    enabled: canVerify,
  },
  answer("positive", "Yes, it is on the object", "f"),
  answer("negative", "No, it is not", "d"),
  answer("unknown", "Cannot tell", "s"),
  {
    id: "points.stop",
    group: "Proposed points",
    label: "Ask no more",
    keys: [],
    via: "escape",
    run: (app) => app.editor.verifying.stop(),
    enabled: asksPoint,
  },
];
