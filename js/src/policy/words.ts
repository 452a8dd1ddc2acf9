/** Numbers and sentences as people read them. Pure. */

import { seconds } from "../ui/format";
import type { Asked, Made, Round } from "./messages";

/** With so many digits; a dash where it is not known. */
export const number = (value: number | null | undefined, digits = 3): string =>
  value === null || value === undefined ? "–" : value.toFixed(digits);

/** A rise, with its sign. */
export const rise = (value: number | null | undefined, digits = 3): string =>
  value === null || value === undefined
    ? "–"
    : `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(digits)}`;

/** Per second, small as it is. */
export const perSecond = (value: number | null | undefined): string =>
  value === null || value === undefined ? "–" : `${rise(value * 1000, 2)}/ks`;

/** "clicks on frame 12". */
export const what = ({ kind, frame }: Pick<Made, "kind" | "frame">): string =>
  `${kind} on frame ${frame}`;

/** What happened in a round, in a sentence. */
export function summary({ made, asked, followed, spent }: Round): string {
  const before = `After ${seconds(spent)}`;
  if (!made)
    return asked ? `${before}, next: ${what(asked)}.` : `${before}, nothing is left to ask.`;
  const cost = `${what(made)}, ${seconds(made.seconds)}`;
  if (followed) return `${before}: ${cost}, as the policy asks.`;
  return `${before}: ${cost}. The policy asks for ${asked ? what(asked) : "nothing"}.`;
}

export const reason = (asked: Asked | null): string => (asked ? asked.reason : "");
