/** Verifying proposed points; the keys are those of the point verifier. */

import type { Action } from "../../ui/actions";
import type { App } from "../app";
import type { PointLabel } from "../messages";
import { refusal } from "../prompts";
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

/** Without clicks nothing can be verified: an answer that contradicts the mask becomes one. */
const refused = (app: App): string | null => {
  const why = refusal(app.kernel.capabilities.value, "clicks");
  return why && `${why}, which correct the mask where an answer contradicts it`;
};

/** Whether the shown frame has a mask to ask about. */
const hasMask = (app: App): boolean =>
  app.editor.objects.canEdit.value &&
  !asksPoint(app) &&
  !hasDraft(app) &&
  app.editor.annotations.showsMask;

/** Whether points of the shown frame can be proposed. */
export const canVerify = (app: App): boolean => hasMask(app) && refused(app) === null;

export const POINT_ACTIONS: readonly Action<App>[] = [
  {
    id: "points.verify",
    group: "Proposed points",
    label: "Verify ten points",
    keys: ["Shift+c"],
    run: (app) => app.editor.verifying.start(),
    enabled: hasMask,
    refused,
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
