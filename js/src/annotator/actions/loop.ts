/** The loop: passes, and what is suggested next. */

import type { Action } from "../../ui/actions";
import type { App } from "../app";
import type { Suggestion, Tool } from "../messages";
import { editable, jobRuns, phase, suggestion } from "./conditions";

/** Whether the suggested frame is on the screen with its object in hand. */
export function atSuggestion(app: App): boolean {
  const next = suggestion(app);
  return (
    next?.frame === app.navigation.frame.value &&
    next.object === app.editor.objects.active.value?.id
  );
}

export const canGo = (app: App) => suggestion(app) !== null && !atSuggestion(app);

/** The annotation type a suggestion names, as the tool that gives it. */
const TOOL_FOR: Record<string, Tool> = {
  clicks: "clicks",
  box: "box",
  scribble: "scribble",
  mask: "brush",
  points: "clicks",
};

function goToSuggestion(app: App): void {
  const next = suggestion(app);
  if (next) take(app, next);
}

/** Goes to a suggestion, with its object and the tool it asks for in hand. */
export function take(app: App, next: Suggestion): void {
  app.navigation.jump(next.frame);
  app.synced.activeObject.set(next.object);
  // That an object is absent is said by no tool.
  if (next.annotation_type !== "absent") {
    app.synced.tool.set(TOOL_FOR[next.annotation_type] ?? "brush");
  }
  app.canvas?.focus();
}

/**
 * Starts a pass over some frames, both ends included; null: over all that wait. What is being
 * committed is carried too.
 */
export async function propagate(app: App, frames: [first: number, last: number] | null) {
  await app.editor.annotations.settled();
  await app.kernel.ask("job.start", { job: "propagate", frames });
}

/** Whether there is something to carry, be it on its way. */
const hasAnnotations = (app: App) =>
  (app.kernel.state.value?.annotated.length ?? 0) > 0 || app.editor.annotations.underWay;

const canPropagate = (app: App) => editable(app) && phase(app) === "idle" && hasAnnotations(app);

export const LOOP_ACTIONS: readonly Action<App>[] = [
  {
    id: "job.start",
    group: "The loop",
    label: "Propagate",
    keys: ["t"],
    run: (app) => propagate(app, null),
    enabled: canPropagate,
  },
  {
    id: "job.forward",
    group: "The loop",
    label: "Propagate from here to the end",
    keys: ["Shift+End"],
    run: (app) => propagate(app, [app.navigation.frame.value, app.navigation.count - 1]),
    enabled: canPropagate,
  },
  {
    id: "job.backward",
    group: "The loop",
    label: "Propagate from here to the start",
    keys: ["Shift+Home"],
    run: (app) => propagate(app, [0, app.navigation.frame.value]),
    enabled: canPropagate,
  },
  {
    id: "job.part",
    group: "The loop",
    label: "Propagate a part",
    keys: ["Shift+t"],
    run: (app) => {
      app.store.passOpen.value = !app.store.passOpen.value;
    },
    enabled: canPropagate,
    pressed: (app) => app.store.passOpen.value,
  },
  {
    id: "job.pause",
    group: "The loop",
    label: "Pause the pass, or go on",
    keys: ["Shift+Space"],
    run: (app) =>
      phase(app) === "paused" ? app.kernel.ask("job.resume", {}) : app.kernel.ask("job.pause", {}),
    enabled: (app) => editable(app) && jobRuns(app),
    pressed: (app) => phase(app) === "paused",
  },
  {
    id: "job.stop",
    group: "The loop",
    label: "Stop",
    keys: [],
    via: "escape",
    run: (app) => app.kernel.ask("job.cancel", {}),
    enabled: (app) => editable(app) && jobRuns(app),
  },
  {
    id: "suggestion.go",
    group: "The loop",
    label: "Go there",
    keys: [],
    via: "confirm",
    run: goToSuggestion,
    enabled: canGo,
  },
  {
    id: "suggestion.later",
    group: "The loop",
    label: "Not now",
    keys: ["s"],
    run: (app) => {
      const next = suggestion(app);
      return (
        next && app.kernel.askOnce("suggestion.snooze", { frame: next.frame, object: next.object })
      );
    },
    enabled: (app) => !app.synced.readOnly.value && suggestion(app) !== null,
  },
];
