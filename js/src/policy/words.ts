/** Numbers and sentences as people read them. Pure. */

import { seconds } from "../ui/format";
import { nameAmong } from "../ui/object-names";
import type { Asked, Made, Round, State } from "./messages";

type Objects = State["objects"];

/** What is less is nothing: single precision has such differences where nothing changed. */
const NOTHING = 5e-7;

/** So many digits, and of a small number as many as it takes to see that it is not zero. */
function digitsOf(value: number, digits: number): string {
  const short = value.toFixed(digits);
  return Number(short) === 0 && value >= NOTHING ? String(Number(value.toPrecision(1))) : short;
}

/** With so many digits; a dash where it is not known. */
export const number = (value: number | null | undefined, digits = 3): string =>
  value === null || value === undefined ? "–" : digitsOf(value, digits);

/** A rise, with its sign; none where nothing changed. */
export function rise(value: number | null | undefined, digits = 3): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return "–";
  if (Math.abs(value) < NOTHING) return "0";
  return `${value < 0 ? "−" : "+"}${digitsOf(Math.abs(value), digits)}`;
}

/** How columns of `inThousand` are headed. */
export const THOUSAND = "in 1000 s";

/** What a rise a second makes in a thousand of them, since it is small. */
export const inThousand = (perSecond: number | null | undefined): string =>
  rise(perSecond === null || perSecond === undefined ? perSecond : perSecond * 1000, 2);

/** "clicks on frame 12", and of which object where there are several. */
export const what = (
  { kind, frame, object }: Pick<Made, "kind" | "frame" | "object">,
  objects: Objects,
): string =>
  `${kind} on frame ${frame}${objects.length > 1 ? ` of ${nameAmong(object, objects)}` : ""}`;

/** What happened in a round, in a sentence. */
export function summary({ made, asked, followed, spent }: Round, objects: Objects): string {
  if (objects.length === 0) return "There is no object yet.";
  const before = `After ${seconds(spent)}`;
  if (!made)
    return asked
      ? `${before}, next: ${what(asked, objects)}.`
      : `${before}, nothing is left to ask.`;
  const cost = `${what(made, objects)}, ${seconds(made.seconds)}`;
  if (followed) return `${before}: ${cost}, as the policy asks.`;
  return `${before}: ${cost}. The policy asks for ${asked ? what(asked, objects) : "nothing"}.`;
}

export const reason = (asked: Asked | null): string => (asked ? asked.reason : "");
