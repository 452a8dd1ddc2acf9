/**
 * Lines of quality over the annotator's time, and what is read from them. Pure.
 *
 * Between its points a line is straight; before the first and after the last there is none.
 */

export interface Line {
  name: string;
  /** Which colour, dash and marker; stays when other lines are switched off. */
  look: number;
  /** Ascending. */
  x: ArrayLike<number>;
  /** J&F, 0 to 1. */
  y: ArrayLike<number>;
  /** Bounds of the interval; NaN where there is none. */
  low: ArrayLike<number>;
  high: ArrayLike<number>;
}

export type Column = "y" | "low" | "high";

/** Index of the first point that is not before `x`; the length where there is none. */
function from(line: Line, x: number): number {
  let [a, b] = [0, line.x.length];
  while (a < b) {
    const middle = (a + b) >> 1;
    if (line.x[middle] < x) a = middle + 1;
    else b = middle;
  }
  return a;
}

/** The value at `x`; null outside the line. */
export function valueAt(line: Line, x: number, column: Column = "y"): number | null {
  const i = from(line, x);
  if (i === line.x.length || (i === 0 && line.x[0] !== x)) return null;
  const values = line[column];
  if (line.x[i] === x) return values[i];
  const part = (x - line.x[i - 1]) / (line.x[i] - line.x[i - 1]);
  return values[i - 1] + part * (values[i] - values[i - 1]);
}

/** The place of a point, on whichever line, that is nearest to `x`; null without points. */
export function nearestX(lines: readonly Line[], x: number): number | null {
  let best: number | null = null;
  for (const line of lines) {
    const i = from(line, x);
    for (const candidate of [line.x[i - 1], line.x[i]]) {
      if (candidate === undefined) continue;
      if (best === null || Math.abs(candidate - x) < Math.abs(best - x)) best = candidate;
    }
  }
  return best;
}

/** The next place of a point after `x`, or before it; null at the end. */
export function nextX(lines: readonly Line[], x: number, direction: 1 | -1): number | null {
  let best: number | null = null;
  for (const line of lines) {
    let i = from(line, x);
    if (direction === -1) i--;
    else while (line.x[i] === x) i++;
    const candidate = line.x[i];
    if (candidate === undefined) continue;
    if (best === null || (candidate - best) * direction < 0) best = candidate;
  }
  return best;
}

/** When a line first reaches a quality; null if it does not. */
export function timeTo(line: Line, quality: number): number | null {
  for (let i = 0; i < line.x.length; i++) {
    if (line.y[i] < quality) continue;
    if (i === 0 || line.y[i] === quality) return line.x[i];
    const part = (quality - line.y[i - 1]) / (line.y[i] - line.y[i - 1]);
    return line.x[i - 1] + part * (line.x[i] - line.x[i - 1]);
  }
  return null;
}

/** At most so many of these are listed as they are; of more, a few even steps. */
const LISTED = 24;
const STEPS = 10;

/** Times for a table of the lines: those of the points, or even steps where they are many. */
export function tableTimes(lines: readonly Line[]): number[] {
  const all = new Set<number>();
  for (const line of lines) for (let i = 0; i < line.x.length; i++) all.add(line.x[i]);
  const times = [...all].sort((a, b) => a - b);
  if (times.length <= LISTED) return times;
  const [first, last] = [times[0], times[times.length - 1]];
  return Array.from({ length: STEPS + 1 }, (_, k) =>
    k === STEPS ? last : first + (k / STEPS) * (last - first),
  );
}
