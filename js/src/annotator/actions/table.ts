/**
 * Everything a person can do, in one table. Buttons, tooltips, keys and the cheat-sheet all read
 * it, so what a button says and what a key does cannot part.
 *
 * Keys are written as `keys.ts` reads them: `Mod` is Ctrl, or Cmd on a Mac. They are those of a
 * person who has changed none; `keymap.ts` has the changes.
 */

import type { ObjectInfo, Suggestion, Tool } from "../../wire/protocol";
import type { App } from "../app";
import { bigStep, stepped } from "../editing/crosshair";
import { following, leastCertain } from "../landmarks";

export type ActionGroup =
  | "Tools"
  | "Crosshair"
  | "Work in progress"
  | "Frames"
  | "The loop"
  | "Objects"
  | "View";

export interface Action {
  id: string;
  group: ActionGroup;
  label: string;
  keys: readonly string[];
  run(app: App): unknown;
  enabled?(app: App): boolean;
  /** For switches: whether it is on. */
  pressed?(app: App): boolean;
  /** What its key does instead while it is held. */
  hold?: { start(app: App): void; end(app: App, held: number): void };
  /** The key may be held to repeat. */
  repeats?: true;
  /** Another action whose key does this too, where that makes sense. */
  via?: string;
  /** For such a key: the action that it is just now. */
  leads?(app: App): string | undefined;
  /** It also works while the cheat-sheet covers everything else. */
  overSheet?: true;
  /** Only then does the action apply, and its keys are taken from others that share them. */
  context?: "crosshair" | "polygon";
  /** How the cheat-sheet writes a row of like keys; "" leaves the action out. */
  listed?: string;
}

const BRUSH_STEP = 1.25;
const MAX_BRUSH = 400;
const ZOOM_STEP = 1.4;
const OPACITY_STEP = 0.1;
/** Part of the picture's frame that a key moves it by. */
const PAN_STEP = 0.15;
/** A shorter press of Space plays, a longer one was for moving the picture; milliseconds. */
const TAP = 300;

const tool = (id: Tool, label: string, key: string, able: (app: App) => boolean): Action => ({
  id: `tool.${id}`,
  group: "Tools",
  label,
  keys: [key],
  run: (app) => app.synced.tool.set(id),
  enabled: (app) => !app.synced.readOnly.value && able(app),
  pressed: (app) => app.editor.tool.value === id,
});

/** A step of the crosshair; a big one where `big`. */
const crosshairStep = (where: string, key: string, dx: number, dy: number, big: boolean) => ({
  id: `crosshair.${where.toLowerCase()}${big ? ".far" : ""}`,
  group: "Crosshair" as const,
  label: `${where}, ${big ? "a big step" : "one pixel"}`,
  keys: [big ? `Shift+${key}` : key],
  run: (app: App) => {
    const at = app.store.crosshair.value;
    const size = app.synced.video.value;
    const by = big ? bigStep(size) : 1;
    if (at) app.stage?.moveCrosshair(stepped(at, dx * by, dy * by, size));
  },
  enabled: hasCrosshair,
  repeats: true as const,
  context: "crosshair" as const,
});

const DIRECTIONS = [
  ["Left", "ArrowLeft", -1, 0],
  ["Right", "ArrowRight", 1, 0],
  ["Up", "ArrowUp", 0, -1],
  ["Down", "ArrowDown", 0, 1],
] as const;

const step = (id: string, label: string, keys: string[], by: number): Action => ({
  id,
  group: "Frames",
  label,
  keys,
  run: (app) => app.navigation.step(by),
  repeats: true,
});

/** Moves what is seen, as the arrows of a map do. */
const look = (where: string, key: string, dx: number, dy: number): Action => ({
  id: `view.${where.toLowerCase()}`,
  group: "View",
  label: `Move the view ${where.toLowerCase()}`,
  keys: [`Mod+${key}`],
  run: (app) => app.stage?.look(dx * PAN_STEP, dy * PAN_STEP),
  repeats: true,
});

const fade = (id: string, label: string, key: string, by: number): Action => ({
  id,
  group: "View",
  label,
  keys: [key],
  run: (app) => {
    const opacity = Math.round((app.display.value.opacity + by) * 20) / 20;
    app.show({ opacity: Math.min(1, Math.max(0, opacity)) });
  },
  repeats: true,
});

const scaleBrush = (app: App, factor: number) => {
  const size = app.store.brushSize;
  const scaled = size.value * factor;
  size.value = Math.min(
    MAX_BRUSH,
    Math.max(1, factor > 1 ? Math.ceil(scaled) : Math.floor(scaled)),
  );
};

const hasCrosshair = (app: App) => app.store.crosshair.value !== null;
const hasPath = (app: App) => app.editor.current.value?.path != null;
const hasDraft = (app: App) => app.editor.kind.value !== "none";
const phase = (app: App) => app.kernel.job.value.phase;
const jobRuns = (app: App) => phase(app) === "running" || phase(app) === "paused";
const editable = (app: App) => !app.synced.readOnly.value;
const suggestion = (app: App) => app.kernel.state.value?.suggestion ?? null;

/** Whether the suggested frame is on the screen with its object in hand. */
export function atSuggestion(app: App): boolean {
  const next = suggestion(app);
  return next?.frame === app.navigation.frame.value && next.object === app.editor.object.value?.id;
}

const canGo = (app: App) => suggestion(app) !== null && !atSuggestion(app);

/** The annotation type a suggestion names, as the tool that gives it. */
const TOOL_FOR: Record<string, Tool> = {
  clicks: "clicks",
  box: "box",
  scribble: "scribble",
  mask: "brush",
};

function goToSuggestion(app: App): void {
  const next = suggestion(app);
  if (next) take(app, next);
}

/** Goes to a suggestion, with its object and the tool it asks for in hand. */
export function take(app: App, next: Suggestion): void {
  app.navigation.jump(next.frame);
  app.synced.activeObject.set(next.object);
  app.synced.tool.set(TOOL_FOR[next.annotation_type] ?? "brush");
  app.stage?.element.focus({ preventScroll: true });
}

/** Done to the object in hand. */
const toObject = (
  id: string,
  label: string,
  key: string,
  does: (app: App, object: ObjectInfo) => unknown,
  enabled: (app: App, object: ObjectInfo) => boolean,
  pressed?: (app: App, object: ObjectInfo) => boolean,
): Action => {
  const inHand = <T>(app: App, use: (app: App, object: ObjectInfo) => T, otherwise: T): T => {
    const object = app.editor.object.value;
    return object ? use(app, object) : otherwise;
  };
  return {
    id: `object.${id}`,
    group: "Objects",
    label,
    keys: [key],
    run: (app) => inHand(app, does, undefined),
    enabled: (app) => inHand(app, enabled, false),
    pressed: pressed && ((app) => inHand(app, pressed, false)),
  };
};

/** Objects that another one can be merged into. */
export const mergeable = (app: App, { id, locked }: ObjectInfo): ObjectInfo[] =>
  locked ? [] : app.kernel.objects.value.filter((other) => other.id !== id && !other.locked);

/** Opens an object's details, or closes them. */
export function change(app: App, object: number, at: "name" | "merge"): void {
  const now = app.store.changing.value;
  const open = now?.object === object && now.at === at;
  app.store.changing.value = open ? null : { object, at };
}

/** Whether an object's details are open. */
export const changes = (app: App, object: ObjectInfo): boolean =>
  editable(app) && app.store.changing.value?.object === object.id;

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

const uncertain = (app: App, direction: 1 | -1): number | null =>
  leastCertain(app.kernel.state.value?.quality ?? [], app.navigation.frame.value, direction);

const landmark = (
  id: string,
  label: string,
  key: string,
  find: (app: App) => number | null,
): Action => ({
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

/** Starts a pass over some frames, both ends included; null: over all that wait. */
export const propagate = (app: App, frames: [first: number, last: number] | null) =>
  app.kernel.ask("job.start", { job: "propagate", frames });

const canPropagate = (app: App) =>
  editable(app) && phase(app) === "idle" && (app.kernel.state.value?.annotated.length ?? 0) > 0;

const say = (id: "verified" | "absent", label: string, key: string): Action => ({
  id: `mark.${id}`,
  group: "Work in progress",
  label,
  keys: [key],
  run: (app) => app.editor.say(id),
  enabled: (app) =>
    app.editor.canEdit.value &&
    app.editor.object.value !== null &&
    !hasDraft(app) &&
    (id === "absent" || app.editor.showsMask),
});

/** The object after or before the one in hand, for those that have no key of their own. */
function chooseNext(app: App, by: 1 | -1): void {
  const ids = app.kernel.objects.value.map(({ id }) => id);
  const at = ids.indexOf(app.editor.object.value?.id ?? -1);
  if (at >= 0) app.synced.activeObject.set(ids[(at + by + ids.length) % ids.length]);
}

/** Nothing can be compared with a mask that was never seen: otherwise a key seems dead. */
function tellUnknown(app: App): void {
  if (!app.layer.before) app.store.announcement.value = "No mask before this one is known";
}

function annotationHere(app: App): { frame: number; object: number } | null {
  const frame = app.store.shown.value;
  const object = app.editor.object.value?.id;
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
  const { store, editor, stage } = app;
  for (const open of [store.helpOpen, store.exportOpen, store.passOpen, store.logOpen]) {
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
  if (stage?.busy) return { does: () => stage.cancelGesture() };
  if (hasPath(app)) return { does: () => editor.leavePolygon() };
  if (hasCrosshair(app)) return { does: () => stage?.moveCrosshair(null) };
  if (hasDraft(app)) return { does: () => editor.discard(), as: "discard" };
  if (jobRuns(app)) return { does: () => run(app, "job.stop"), as: "job.stop" };
  return null;
}

const confirms = (app: App) => (hasDraft(app) ? "commit" : "suggestion.go");

export const ACTIONS: readonly Action[] = [
  tool("clicks", "Points", "c", (app) => app.kernel.capabilities.value?.clicks ?? true),
  tool("scribble", "Scribble", "i", (app) => app.kernel.capabilities.value?.clicks ?? true),
  tool("box", "Box", "r", (app) => app.kernel.capabilities.value?.box ?? true),
  tool("brush", "Brush", "b", () => true),
  tool("eraser", "Eraser", "e", () => true),
  tool("polygon", "Polygon", "p", () => true),
  tool("fill", "Fill", "g", () => true),
  tool("pick", "Pick", "v", () => true),
  {
    id: "brush.smaller",
    group: "Tools",
    label: "Smaller brush",
    keys: ["["],
    run: (app) => scaleBrush(app, 1 / BRUSH_STEP),
    repeats: true,
  },
  {
    id: "brush.larger",
    group: "Tools",
    label: "Larger brush",
    keys: ["]"],
    run: (app) => scaleBrush(app, BRUSH_STEP),
    repeats: true,
  },
  {
    id: "crosshair",
    group: "Crosshair",
    label: "Crosshair for the keyboard",
    keys: ["k"],
    run: (app) => app.stage?.toggleCrosshair(),
    pressed: hasCrosshair,
  },
  {
    id: "crosshair.place",
    group: "Crosshair",
    label: "Use the tool here",
    keys: ["Enter"],
    run: (app) => app.stage?.place(false),
    enabled: hasCrosshair,
    context: "crosshair",
  },
  {
    id: "crosshair.place.negative",
    group: "Crosshair",
    label: "Use it the other way: not the object, erase",
    keys: ["Shift+Enter"],
    run: (app) => app.stage?.place(true),
    enabled: hasCrosshair,
    context: "crosshair",
  },
  {
    id: "crosshair.stroke",
    group: "Crosshair",
    label: "Brush in a straight line from the last point",
    keys: ["d"],
    run: (app) => app.stage?.strokeToCrosshair(),
    enabled: (app) => hasCrosshair(app) && app.editor.brushes.value,
    context: "crosshair",
  },
  ...DIRECTIONS.flatMap(([where, key, dx, dy]): Action[] => [
    crosshairStep(where, key, dx, dy, false),
    crosshairStep(where, key, dx, dy, true),
  ]),
  {
    id: "polygon.close",
    group: "Work in progress",
    label: "Close the outline",
    keys: ["Enter"],
    run: (app) => app.editor.closePolygon(),
    enabled: hasPath,
    context: "polygon",
  },
  {
    id: "polygon.back",
    group: "Work in progress",
    label: "Take the last vertex back",
    keys: ["Backspace"],
    run: (app) => app.editor.undo(),
    enabled: hasPath,
    repeats: true,
    context: "polygon",
  },
  {
    id: "confirm",
    group: "Work in progress",
    label: "Commit, or go to the suggestion",
    keys: ["Enter"],
    run: (app) => run(app, confirms(app)),
    leads: confirms,
    enabled: (app) => hasDraft(app) || canGo(app),
  },
  {
    id: "commit",
    group: "Work in progress",
    label: "Commit",
    keys: [],
    via: "confirm",
    run: (app) => app.editor.commit(false),
    enabled: hasDraft,
  },
  {
    id: "commit.propagate",
    group: "Work in progress",
    label: "Commit and propagate",
    keys: ["Mod+Enter"],
    run: (app) => app.editor.commit(true),
    enabled: hasDraft,
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
    run: (app) => app.editor.discard(),
    enabled: hasDraft,
  },
  {
    id: "undo",
    group: "Work in progress",
    label: "Undo",
    keys: ["Mod+z"],
    run: (app) => (app.stage?.busy ? app.stage.cancelGesture() : app.editor.undo()),
    enabled: (app) =>
      !app.synced.readOnly.value && (app.stage?.busy || app.editor.undoLabel.value !== null),
    repeats: true,
  },
  {
    id: "redo",
    group: "Work in progress",
    label: "Redo",
    keys: ["Mod+Shift+z", "Mod+y"],
    run: (app) => app.editor.redo(),
    enabled: (app) => !app.synced.readOnly.value && app.editor.redoLabel.value !== null,
    repeats: true,
  },
  {
    id: "annotation.remove",
    group: "Work in progress",
    label: "Take back this frame's annotation",
    keys: ["Delete"],
    run: (app) => {
      const here = annotationHere(app);
      return here && app.kernel.ask("annotation.remove", here);
    },
    enabled: (app) => app.editor.canEdit.value && !hasDraft(app) && annotationHere(app) !== null,
  },
  say("verified", "Accept the mask as it is", "y"),
  say("absent", "The object is not in this frame", "m"),
  step("frame.previous", "Previous frame", ["ArrowLeft", ","], -1),
  step("frame.next", "Next frame", ["ArrowRight", "."], 1),
  step("frame.back", "Ten frames back", ["Shift+ArrowLeft", "<"], -10),
  step("frame.forward", "Ten frames on", ["Shift+ArrowRight", ">"], 10),
  {
    id: "frame.first",
    group: "Frames",
    label: "First frame",
    keys: ["Home"],
    run: (app) => app.navigation.jump(0),
  },
  {
    id: "frame.last",
    group: "Frames",
    label: "Last frame",
    keys: ["End"],
    run: (app) => app.navigation.jump(app.navigation.count - 1),
  },
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
  {
    id: "play",
    group: "Frames",
    label: "Play, or hold and drag to move the picture",
    keys: ["Space"],
    run: (app) => app.navigation.togglePlay(),
    pressed: (app) => app.store.playing.value,
    hold: {
      start: (app) => {
        app.stage?.takePanned();
        app.store.panning.value = true;
      },
      end: (app, held) => {
        app.store.panning.value = false;
        if (held < TAP && !app.stage?.takePanned()) app.navigation.togglePlay();
      },
    },
  },
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
        next && app.kernel.ask("suggestion.snooze", { frame: next.frame, object: next.object })
      );
    },
    enabled: (app) => !app.synced.readOnly.value && suggestion(app) !== null,
  },
  {
    id: "object.add",
    group: "Objects",
    label: "Add an object",
    keys: ["a"],
    run: (app) => app.editor.addObject(),
    enabled: (app) => !app.synced.readOnly.value,
  },
  ...Array.from({ length: 9 }, (_, index): Action => {
    const id = index + 1;
    return {
      id: `object.select.${id}`,
      group: "Objects",
      label: id === 1 ? "Choose an object" : `Choose object ${id}`,
      keys: [String(id)],
      run: (app) => app.synced.activeObject.set(id),
      enabled: (app) => app.kernel.objects.value.some((object) => object.id === id),
      listed: id === 1 ? "1 … 9" : "",
    };
  }),
  {
    id: "object.next",
    group: "Objects",
    label: "Next object",
    keys: ["PageDown"],
    run: (app) => chooseNext(app, 1),
    enabled: (app) => app.kernel.objects.value.length > 1,
    repeats: true,
  },
  {
    id: "object.previous",
    group: "Objects",
    label: "Previous object",
    keys: ["PageUp"],
    run: (app) => chooseNext(app, -1),
    enabled: (app) => app.kernel.objects.value.length > 1,
    repeats: true,
  },
  toObject(
    "hide",
    "Hide the object in hand, or show it",
    "Shift+h",
    (app, object) => app.editor.toggleVisible(object),
    () => true,
    (_, { visible }) => !visible,
  ),
  toObject(
    "lock",
    "Lock the object in hand, or unlock it",
    "Shift+l",
    (app, object) => app.editor.toggleLocked(object),
    editable,
    (_, { locked }) => locked,
  ),
  toObject(
    "change",
    "Name and colour of the object in hand",
    "F2",
    (app, { id }) => change(app, id, "name"),
    editable,
    changes,
  ),
  toObject(
    "merge",
    "Merge the object in hand into another",
    "Shift+m",
    (app, { id }) => change(app, id, "merge"),
    (app, object) => editable(app) && mergeable(app, object).length > 0,
  ),
  toObject(
    "remove",
    "Remove the object in hand",
    "Shift+Delete",
    (app, { id }) => app.editor.removeObject(id),
    (app, { locked }) => editable(app) && !locked,
  ),
  {
    id: "object.pick",
    group: "Objects",
    label: "Choose the object under the pointer",
    keys: ["Shift+v"],
    run: (app) => app.stage?.pick(),
    enabled: (app) => app.kernel.objects.value.length > 0,
  },
  {
    id: "view.peek",
    group: "View",
    label: "Hide masks while held",
    keys: ["h"],
    run: () => {},
    hold: {
      start: (app) => {
        app.store.peeking.value = true;
      },
      end: (app) => {
        app.store.peeking.value = false;
      },
    },
  },
  {
    id: "view.outline",
    group: "View",
    label: "Outlines",
    keys: ["o"],
    run: (app) => app.show({ contour: !app.display.value.contour }),
    pressed: (app) => app.display.value.contour,
  },
  {
    id: "view.onion",
    group: "View",
    label: "Onion skin: frame before in dashes, after in dots",
    keys: ["Shift+o"],
    run: (app) => app.show({ onion: !app.display.value.onion }),
    pressed: (app) => app.display.value.onion,
  },
  {
    id: "view.difference",
    group: "View",
    label: "Difference to the mask before",
    keys: ["Shift+d"],
    run: (app) => {
      const difference = !app.display.value.difference;
      app.show({ difference });
      if (difference) tellUnknown(app);
    },
    pressed: (app) => app.display.value.difference,
  },
  {
    id: "view.before",
    group: "View",
    label: "Show the mask before while held",
    keys: ["q"],
    run: () => {},
    hold: {
      start: (app) => {
        app.store.comparing.value = true;
        tellUnknown(app);
      },
      end: (app) => {
        app.store.comparing.value = false;
      },
    },
  },
  {
    id: "view.davis",
    group: "View",
    label: "Colours of DAVIS",
    keys: ["Shift+p"],
    run: (app) => app.show({ palette: app.display.value.palette === "davis" ? "safe" : "davis" }),
    pressed: (app) => app.display.value.palette === "davis",
  },
  {
    id: "view.fit",
    group: "View",
    label: "Fit the picture",
    keys: ["f"],
    run: (app) => app.stage?.fitPicture(),
  },
  {
    id: "view.actual",
    group: "View",
    label: "Actual pixels",
    keys: ["Shift+f"],
    run: (app) => app.stage?.actualSize(),
  },
  {
    id: "view.in",
    group: "View",
    label: "Zoom in",
    keys: ["+", "="],
    run: (app) => app.stage?.zoom(ZOOM_STEP),
    repeats: true,
  },
  {
    id: "view.out",
    group: "View",
    label: "Zoom out",
    keys: ["-"],
    run: (app) => app.stage?.zoom(1 / ZOOM_STEP),
    repeats: true,
  },
  ...DIRECTIONS.map(([where, key, dx, dy]) => look(where, key, dx, dy)),
  fade("view.fainter", "Fainter masks", "{", -OPACITY_STEP),
  fade("view.stronger", "Stronger masks", "}", OPACITY_STEP),
  {
    id: "export",
    group: "View",
    label: "Export",
    keys: ["x"],
    run: (app) => {
      app.store.exportOpen.value = !app.store.exportOpen.value;
    },
    enabled: (app) => (app.kernel.capabilities.value?.exports.length ?? 0) > 0,
    pressed: (app) => app.store.exportOpen.value,
  },
  {
    id: "log",
    group: "View",
    label: "Messages",
    keys: ["l"],
    run: (app) => {
      app.store.logOpen.value = !app.store.logOpen.value;
    },
    pressed: (app) => app.store.logOpen.value,
  },
  {
    id: "help",
    group: "View",
    label: "Keys",
    keys: ["?"],
    run: (app) => {
      app.store.helpOpen.value = !app.store.helpOpen.value;
    },
    pressed: (app) => app.store.helpOpen.value,
    overSheet: true,
  },
];

const BY_ID = new Map(ACTIONS.map((action) => [action.id, action]));

export function action(id: string): Action {
  const found = BY_ID.get(id);
  if (!found) throw new Error(`there is no action "${id}"; add it to the table in actions.ts.`);
  return found;
}

export const isEnabled = (app: App, { enabled }: Action): boolean => enabled?.(app) ?? true;

/** Runs an action if it can be run now; what goes wrong is shown in the log. */
export function run(app: App, id: string): void {
  const wanted = action(id);
  if (!isEnabled(app, wanted)) return;
  app.attempt(Promise.resolve().then(() => wanted.run(app)));
}
