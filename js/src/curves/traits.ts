/** What the curves share with the kernel, and how the lines are packed. */

import type { AnyModel } from "@anywidget/types";
import type { Line } from "../chart/lines";
import type { ThemeChoice } from "../wire/catalogue";
import { syncTraits } from "../wire/synced";

export interface Progress {
  phase: "running" | "stopping" | "stopped" | "done" | "failed";
  done: number;
  total: number;
  seconds_left: number | null;
  message: string;
}

export interface Drawing {
  unit: "hours" | "seconds";
  note: string;
  /** `points`: float32 rows of time, J&F, low, high; little-endian. */
  lines: { name: string; points: DataView }[];
}

export interface CurvesTraits {
  drawing: Drawing;
  progress: Progress | null;
  target: number | null;
  logarithmic: boolean;
  hidden: string[];
  theme: ThemeChoice;
}

export const syncCurves = (model: AnyModel<CurvesTraits>) =>
  syncTraits(model, {
    drawing: "drawing",
    progress: "progress",
    target: "target",
    logarithmic: "logarithmic",
    hidden: "hidden",
    theme: "theme",
  });

/** Columns of the packed rows. */
const COLUMNS = 4;

export function unpack(lines: Drawing["lines"]): Line[] {
  return lines.map(({ name, points }, look) => {
    // A host may hand over a part of a larger buffer, at any offset.
    const bytes = points.buffer.slice(points.byteOffset, points.byteOffset + points.byteLength);
    const rows = new Float32Array(bytes);
    const column = (k: number) => rows.filter((_, i) => i % COLUMNS === k);
    return { name, look, x: column(0), y: column(1), low: column(2), high: column(3) };
  });
}
