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

const counted = (points: number): string => (points === 1 ? "1 point is" : `${points} points are`);

/** What came out, once no more is asked; `skipped` points have no answer. */
export function outcome(state: State, answered: number, skipped: number): string {
  const { agreement } = state;
  const controls = agreement
    ? ` Of ${agreement.answered} control points, ${agreement.agreed} were answered as known${
        agreement.unknown > 0 ? ` and ${agreement.unknown} could not be told` : ""
      }.`
    : "";
  const left =
    skipped > 0 ? ` ${counted(skipped)} left of what was skipped; it can be taken up again.` : "";
  return `${counted(answered)} answered and on disk.${controls}${left}`;
}

/** The names of objects that were put off. */
export const putOff = (objects: readonly ObjectInfo[]): ObjectInfo[] =>
  objects.filter(({ skipped }) => skipped);
