/** What the point verifier says in words. Pure. */

import { seconds } from "../ui/format";
import type { Label, ObjectInfo, State } from "./messages";

/** The three batches, by what their points are proposed as. */
export const BATCHES = ["on it", "beside it", "uncertain"] as const;

export const SAID: Record<Label, string> = {
  positive: "yes",
  negative: "no",
  unknown: "cannot tell",
};

/** How fast it goes, and how long it still takes; "" before anything is known. */
export function pace(perPoint: number | null, left: number): string {
  if (perPoint === null) return "";
  const each = `${perPoint.toFixed(2)} s per point`;
  const minute = `${Math.round(60 / Math.max(perPoint, 0.01))} per minute`;
  return left > 0
    ? `${each}, ${minute}, about ${seconds(perPoint * left)} left`
    : `${each}, ${minute}`;
}

/** What came out, once all points are answered. */
export function outcome(state: State, answered: number): string {
  const points = answered === 1 ? "1 point is" : `${answered} points are`;
  const { agreement } = state;
  const controls = agreement
    ? ` Of ${agreement.answered} control points, ${agreement.agreed} were answered as known${
        agreement.unknown > 0 ? ` and ${agreement.unknown} could not be told` : ""
      }.`
    : "";
  return `${points} answered and on disk.${controls}`;
}

/** The names of objects that were put off. */
export const putOff = (objects: readonly ObjectInfo[]): ObjectInfo[] =>
  objects.filter(({ skipped }) => skipped);
