/** Going to the frames that matter: suggested, uncertain, annotated. */

import type { Action } from "../../ui/actions";
import type { App } from "../app";
import { doubts, following, leastCertain } from "../landmarks";
import type { Suggestion } from "../messages";
import { take } from "./loop";

const annotatedFrames = (app: App) => app.kernel.state.value?.annotated.map((a) => a.frame) ?? [];

const proposals = (app: App): Suggestion[] => {
  const state = app.kernel.state.value;
  return state?.suggestion ? [state.suggestion, ...state.alternatives] : [];
};

function goToProposal(app: App, direction: 1 | -1): void {
  const known = proposals(app);
  const frame = following(
    known.map((each) => each.frame),
    app.navigation.frame.value,
    direction,
  );
  const next = known.find((each) => each.frame === frame);
  if (next) take(app, next);
}

function uncertain(app: App, direction: 1 | -1): number | null {
  const state = app.kernel.state.value;
  return state ? leastCertain(doubts(state), app.navigation.frame.value, direction) : null;
}

const landmark = (
  id: string,
  label: string,
  key: string,
  find: (app: App) => number | null,
): Action<App> => ({
  id,
  group: "Frames",
  label,
  keys: [key],
  run: (app) => {
    const frame = find(app);
    if (frame !== null) app.navigation.jump(frame);
  },
  enabled: (app) => find(app) !== null,
});

const annotatedFrame = (direction: 1 | -1) => (app: App) =>
  following(annotatedFrames(app), app.navigation.frame.value, direction);

export const LANDMARK_ACTIONS: readonly Action<App>[] = [
  {
    id: "suggestion.next",
    group: "Frames",
    label: "Next suggested frame",
    keys: ["n"],
    run: (app) => goToProposal(app, 1),
    enabled: (app) => proposals(app).length > 0,
  },
  {
    id: "suggestion.previous",
    group: "Frames",
    label: "Previous suggested frame",
    keys: ["Shift+n"],
    run: (app) => goToProposal(app, -1),
    enabled: (app) => proposals(app).length > 0,
  },
  landmark("uncertain.next", "Least certain frame ahead", "u", (app) => uncertain(app, 1)),
  landmark("uncertain.previous", "Least certain frame before", "Shift+u", (app) =>
    uncertain(app, -1),
  ),
  landmark("annotated.next", "Next annotated frame", "j", annotatedFrame(1)),
  landmark("annotated.previous", "Previous annotated frame", "Shift+j", annotatedFrame(-1)),
];
