/** What can be done wherever a video is shown: going through its frames, and zooming. */

import type { Signal } from "@preact/signals";
import type { Action } from "../ui/actions";
import type { Canvas } from "./canvas";
import type { Navigation } from "./navigation";

/** A view that shows a video. */
export interface VideoView {
  readonly navigation: Navigation;
  /** Null before it is on the screen. */
  readonly canvas: Canvas | null;
  readonly store: {
    readonly playing: Signal<boolean>;
    /** While it is set, dragging moves the picture. */
    readonly panning: Signal<boolean>;
  };
}

const ZOOM_STEP = 1.4;
/** Part of the picture's frame that a key moves it by. */
const PAN_STEP = 0.15;
/** A shorter press of Space plays, a longer one was for moving the picture; milliseconds. */
const TAP = 300;

/** Keys that point somewhere. */
export const DIRECTIONS = [
  ["Left", "ArrowLeft", -1, 0],
  ["Right", "ArrowRight", 1, 0],
  ["Up", "ArrowUp", 0, -1],
  ["Down", "ArrowDown", 0, 1],
] as const;

const step = (id: string, label: string, keys: string[], by: number): Action<VideoView> => ({
  id,
  group: "Frames",
  label,
  keys,
  run: (view) => view.navigation.step(by),
  repeats: true,
});

/** Moves what is seen, as the arrows of a map do. */
const look = (where: string, key: string, dx: number, dy: number): Action<VideoView> => ({
  id: `view.${where.toLowerCase()}`,
  group: "View",
  label: `Move the view ${where.toLowerCase()}`,
  keys: [`Mod+${key}`],
  run: (view) => view.canvas?.viewport.look(dx * PAN_STEP, dy * PAN_STEP),
  repeats: true,
});

export const FRAME_ACTIONS: readonly Action<VideoView>[] = [
  step("frame.previous", "Previous frame", ["ArrowLeft", ","], -1),
  step("frame.next", "Next frame", ["ArrowRight", "."], 1),
  step("frame.back", "Ten frames back", ["Shift+ArrowLeft", "<"], -10),
  step("frame.forward", "Ten frames on", ["Shift+ArrowRight", ">"], 10),
  {
    id: "frame.first",
    group: "Frames",
    label: "First frame",
    keys: ["Home"],
    run: (view) => view.navigation.jump(0),
  },
  {
    id: "frame.last",
    group: "Frames",
    label: "Last frame",
    keys: ["End"],
    run: (view) => view.navigation.jump(view.navigation.count - 1),
  },
];

export const PLAY: Action<VideoView> = {
  id: "play",
  group: "Frames",
  label: "Play, or hold and drag to move the picture",
  keys: ["Space"],
  run: (view) => view.navigation.togglePlay(),
  pressed: (view) => view.store.playing.value,
  hold: {
    start: (view) => {
      view.canvas?.takePanned();
      view.store.panning.value = true;
    },
    end: (view, held) => {
      view.store.panning.value = false;
      if (held < TAP && !view.canvas?.takePanned()) view.navigation.togglePlay();
    },
  },
};

export const ZOOM_ACTIONS: readonly Action<VideoView>[] = [
  {
    id: "view.fit",
    group: "View",
    label: "Fit the picture",
    keys: ["f"],
    run: (view) => view.canvas?.fit(),
  },
  {
    id: "view.actual",
    group: "View",
    label: "Actual pixels",
    keys: ["Shift+f"],
    run: (view) => view.canvas?.actualSize(),
  },
  {
    id: "view.in",
    group: "View",
    label: "Zoom in",
    keys: ["+", "="],
    run: (view) => view.canvas?.zoom(ZOOM_STEP),
    repeats: true,
  },
  {
    id: "view.out",
    group: "View",
    label: "Zoom out",
    keys: ["-"],
    run: (view) => view.canvas?.zoom(1 / ZOOM_STEP),
    repeats: true,
  },
  ...DIRECTIONS.map(([where, key, dx, dy]) => look(where, key, dx, dy)),
];
