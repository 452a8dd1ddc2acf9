/** Drawing by keys: the crosshair, and what the tool does where it stands. */

import type { Action } from "../../ui/actions";
import { DIRECTIONS } from "../../video/actions";
import type { App } from "../app";
import { bigStep, stepped } from "../editing/crosshair";
import { hasCrosshair, hasQuestion } from "./conditions";

/** A question has the keys that answer it. */
const canPlace = (app: App) => hasCrosshair(app) && !hasQuestion(app);

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
    if (at) app.surface?.moveCrosshair(stepped(at, dx * by, dy * by, size));
  },
  enabled: hasCrosshair,
  repeats: true as const,
  mode: "crosshair" as const,
});

export const CROSSHAIR_ACTIONS: readonly Action<App>[] = [
  {
    id: "crosshair",
    group: "Crosshair",
    label: "Crosshair for the keyboard",
    keys: ["k"],
    run: (app) => app.surface?.toggleCrosshair(),
    pressed: hasCrosshair,
  },
  {
    id: "crosshair.place",
    group: "Crosshair",
    label: "Use the tool here",
    keys: ["Enter"],
    run: (app) => app.surface?.place(false),
    enabled: canPlace,
    mode: "crosshair",
  },
  {
    id: "crosshair.place.negative",
    group: "Crosshair",
    label: "Use it the other way: not the object, erase",
    keys: ["Shift+Enter"],
    run: (app) => app.surface?.place(true),
    enabled: canPlace,
    mode: "crosshair",
  },
  {
    id: "crosshair.stroke",
    group: "Crosshair",
    label: "Brush in a straight line from the last point",
    keys: ["d"],
    run: (app) => app.surface?.strokeToCrosshair(),
    enabled: (app) => hasCrosshair(app) && app.editor.brushes.value,
    mode: "crosshair",
  },
  ...DIRECTIONS.flatMap(([where, key, dx, dy]): Action<App>[] => [
    crosshairStep(where, key, dx, dy, false),
    crosshairStep(where, key, dx, dy, true),
  ]),
];
