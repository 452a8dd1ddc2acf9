/** Frames worth going to, seen from where one is. Pure. */

import type { ObjectInfo, State } from "./messages";

/** Whether an object was carried to a frame and has no pixel there. */
export const isLost = (state: State, object: number, frame: number): boolean =>
  (state.lost[object] ?? []).some(([first, last]) => frame >= first && frame <= last);

/** Objects of which nothing is annotated: masks are carried of none of them. */
export const unannotated = ({ annotated, objects }: State): ObjectInfo[] =>
  objects.filter(({ id }) => !annotated.some((frame) => frame.objects.includes(id)));

/** Quality per frame as far as it is in doubt: a frame on which an object is empty is the most. */
export function doubts(state: State): (number | null)[] {
  const quality = [...state.quality];
  for (const [first, last] of Object.values(state.lost).flat()) quality.fill(0, first, last + 1);
  return quality;
}

/** The nearest of `frames` ahead in a direction; past the end it begins again. Null without any. */
export function following(
  frames: readonly number[],
  from: number,
  direction: 1 | -1,
): number | null {
  const others = frames.filter((frame) => frame !== from);
  const ahead = others.filter((frame) => (frame - from) * direction > 0);
  const nearest = (a: number, b: number) => ((b - a) * direction < 0 ? b : a);
  const among = ahead.length > 0 ? ahead : others;
  return among.length > 0 ? among.reduce(nearest) : null;
}

/**
 * The frame of lowest predicted quality ahead in a direction; where nothing ahead is in doubt,
 * the lowest of all others. Frames of unknown quality, and those that are certain, are left out.
 */
export function leastCertain(
  quality: readonly (number | null)[],
  from: number,
  direction: 1 | -1,
): number | null {
  const doubtful = quality.flatMap((value, frame) =>
    value !== null && value < 1 && frame !== from ? [{ frame, value }] : [],
  );
  const ahead = doubtful.filter(({ frame }) => (frame - from) * direction > 0);
  const among = ahead.length > 0 ? ahead : doubtful;
  if (among.length === 0) return null;
  return among.reduce((a, b) => (b.value < a.value ? b : a)).frame;
}
