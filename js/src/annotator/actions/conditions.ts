/** What holds of an annotator just now, for actions that depend on it. */

import type { App } from "../app";
import { AWAITED } from "../editing/objects";
import type { ObjectInfo, Suggestion } from "../messages";

export const hasCrosshair = (app: App) => app.store.crosshair.value !== null;
export const hasPath = (app: App) => app.editor.drafts.current.value?.path != null;
export const asksPoint = (app: App) => app.editor.verifying.asked.value !== null;
export const hasDraft = (app: App) => app.editor.drafts.kind.value !== "none";
/** Whether there is something to commit: what is drawn on an object that is being added has no draft yet. */
export const canCommit = (app: App) => hasDraft(app) || app.editor.objects.isAdding;
export const hasQuestion = (app: App) => app.editor.annotations.question.value !== null;
export const phase = (app: App) => app.kernel.job.value.phase;
export const jobRuns = (app: App) => phase(app) === "running" || phase(app) === "paused";
export const editable = (app: App) => !app.synced.readOnly.value;
export const suggestion = (app: App): Suggestion | null =>
  app.kernel.state.value?.suggestion ?? null;

/** Why nothing is said of the frame on the screen: it is not the one that is meant. */
export const awaited = (app: App): string | null =>
  app.editor.objects.elsewhere.value ? AWAITED : null;

/** Whether an object's details are open. */
export const changes = (app: App, object: ObjectInfo): boolean =>
  editable(app) && app.store.changing.value?.object === object.id;
