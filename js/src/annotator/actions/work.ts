/** Work in progress: giving it up, taking steps back, and making it an annotation. */

import type { Action } from "../../ui/actions";
import type { App } from "../app";
import {
  asksPoint,
  awaited,
  canCommit,
  changes,
  hasCrosshair,
  hasDraft,
  hasPath,
  hasQuestion,
  jobRuns,
} from "./conditions";
import { canGo } from "./loop";

const say = (id: "verified" | "absent", label: string, key: string): Action<App> => ({
  id: `mark.${id}`,
  group: "Work in progress",
  label,
  keys: [key],
  run: (app) => app.editor.annotations.say(id),
  enabled: (app) =>
    app.editor.objects.canEdit.value &&
    app.editor.objects.active.value !== null &&
    !hasDraft(app) &&
    (id === "absent" || app.editor.annotations.showsMask),
  refused: awaited,
});

function annotationHere(app: App): { frame: number; object: number } | null {
  const frame = app.store.shown.value;
  const object = app.editor.objects.active.value?.id;
  if (object === undefined) return null;
  const annotated = app.kernel.state.value?.annotated.find((a) => a.frame === frame);
  return annotated?.objects.includes(object) ? { frame, object } : null;
}

interface Escape {
  does(): unknown;
  /** The action it is, where a button says so. */
  as?: string;
}

/** What Escape gives up, the nearest to the hand first. */
function escapes(app: App): Escape | null {
  const { store, editor, surface } = app;
  for (const open of [app.commands.sheetOpen, store.exportOpen, store.passOpen, store.logOpen]) {
    if (open.value) {
      return {
        does: () => {
          open.value = false;
        },
      };
    }
  }
  if (app.kernel.objects.value.some((object) => changes(app, object))) {
    return {
      does: () => {
        store.changing.value = null;
      },
    };
  }
  if (asksPoint(app)) return { does: () => editor.verifying.stop(), as: "points.stop" };
  if (hasQuestion(app)) {
    return { does: () => editor.annotations.dropQuestion(), as: "question.drop" };
  }
  if (surface?.busy) return { does: () => surface.cancelGesture() };
  if (hasPath(app)) return { does: () => editor.leavePolygon() };
  if (hasCrosshair(app)) return { does: () => surface?.moveCrosshair(null) };
  if (hasDraft(app)) return { does: () => editor.history.discard(), as: "discard" };
  if (jobRuns(app)) return { does: () => app.commands.run("job.stop"), as: "job.stop" };
  return null;
}

const confirms = (app: App) => (canCommit(app) ? "commit" : "suggestion.go");

export const WORK_ACTIONS: readonly Action<App>[] = [
  {
    id: "question.leave",
    group: "Work in progress",
    label: "Commit, and leave other objects their pixels",
    keys: ["Enter"],
    run: (app) => app.editor.annotations.decide("leave"),
    enabled: hasQuestion,
    mode: "question",
  },
  {
    id: "question.take",
    group: "Work in progress",
    label: "Commit, and take pixels from other objects",
    keys: ["Shift+Enter"],
    run: (app) => app.editor.annotations.decide("take"),
    enabled: hasQuestion,
    mode: "question",
  },
  {
    id: "question.drop",
    group: "Work in progress",
    label: "Not yet: go on drawing",
    keys: [],
    via: "escape",
    run: (app) => app.editor.annotations.dropQuestion(),
    enabled: hasQuestion,
  },
  {
    id: "polygon.close",
    group: "Work in progress",
    label: "Close the outline",
    keys: ["Enter"],
    run: (app) => app.editor.closePolygon(),
    enabled: hasPath,
    mode: "polygon",
  },
  {
    id: "polygon.back",
    group: "Work in progress",
    label: "Take the last vertex back",
    keys: ["Backspace"],
    run: (app) => app.editor.history.undo(),
    enabled: hasPath,
    repeats: true,
    mode: "polygon",
  },
  {
    id: "confirm",
    group: "Work in progress",
    label: "Commit, or go to the suggestion",
    keys: ["Enter"],
    run: (app) => app.commands.run(confirms(app)),
    leads: confirms,
    enabled: (app) => canCommit(app) || (canGo(app) && !app.editor.annotations.justCommitted),
  },
  {
    id: "commit",
    group: "Work in progress",
    label: "Commit",
    keys: [],
    via: "confirm",
    run: (app) => app.editor.annotations.commit(false),
    enabled: canCommit,
  },
  {
    id: "commit.propagate",
    group: "Work in progress",
    label: "Commit and propagate",
    keys: ["Mod+Enter"],
    run: (app) => app.editor.annotations.commit(true),
    enabled: canCommit,
  },
  {
    id: "escape",
    group: "Work in progress",
    label: "Give up: outline, crosshair, draft, pass",
    keys: ["Escape"],
    run: (app) => escapes(app)?.does(),
    leads: (app) => escapes(app)?.as,
    overSheet: true,
    enabled: (app) => escapes(app) !== null,
  },
  {
    id: "discard",
    group: "Work in progress",
    label: "Discard",
    keys: [],
    via: "escape",
    run: (app) => app.editor.history.discard(),
    enabled: hasDraft,
  },
  {
    id: "undo",
    group: "Work in progress",
    label: "Undo",
    keys: ["Mod+z"],
    run: (app) => (app.surface?.busy ? app.surface.cancelGesture() : app.editor.history.undo()),
    enabled: (app) =>
      !app.synced.readOnly.value &&
      (app.surface?.busy || app.editor.history.undoLabel.value !== null),
    repeats: true,
  },
  {
    id: "redo",
    group: "Work in progress",
    label: "Redo",
    keys: ["Mod+Shift+z", "Mod+y"],
    run: (app) => app.editor.history.redo(),
    enabled: (app) => !app.synced.readOnly.value && app.editor.history.redoLabel.value !== null,
    repeats: true,
  },
  {
    id: "annotation.remove",
    group: "Work in progress",
    label: "Take back this frame's annotation",
    keys: ["Delete"],
    run: (app) => {
      const here = annotationHere(app);
      return here && app.kernel.askOnce("annotation.remove", here);
    },
    enabled: (app) =>
      app.editor.objects.canEdit.value && !hasDraft(app) && annotationHere(app) !== null,
    refused: awaited,
  },
  say("verified", "Accept the mask as it is", "y"),
  say("absent", "The object is not in this frame", "m"),
];
