/** What the queue says of a video. Pure. */

import { quality, seconds } from "../ui/format";
import type { Entry, State } from "./messages";

const BASIS: Record<Entry["basis"], string> = {
  value: "value of the policy",
  video: "expected gain of the video per second",
  frame: "expected gain of the frame and those that follow it, per second",
  first: "a first mask is expected to bring as much, per second",
};

/** "clicks on frame 12: 9 frames from anything annotated". */
export function proposal({ status, kind, frame, reason }: Entry): string {
  if (status === "finished" || frame === null) return sentence(reason);
  return `${sentence(kind ?? "")} on frame ${frame}: ${reason}`;
}

/** How good it is, and how sure that is. */
export function standing({ predicted, sure, status }: Entry, target: number): string {
  if (status === "new") return "not begun";
  if (status === "failed") return "left out, since this went wrong:";
  if (predicted === null) return "waits for a pass";
  const chance = sure === null ? "" : `, ${Math.round(sure * 100)} % sure of ${quality(target)}`;
  return `predicted J&F ${quality(predicted)}${chance}`;
}

export const promise = ({ rate, basis }: Entry): string =>
  basis === "value" ? `value ${rate.toPrecision(2)}` : `+${(rate * 60).toPrecision(2)} per minute`;

export const promiseTitle = ({ basis }: Entry): string => BASIS[basis];

export function spent({ seconds: all, budget, entries }: State): string {
  const reached = entries.filter(({ status }) => status === "reached").length;
  const of = budget === null ? "" : ` of ${seconds(budget)}`;
  return `${seconds(all)}${of} spent, ${reached} of ${entries.length} videos at the target`;
}

const sentence = (text: string) => text.charAt(0).toUpperCase() + text.slice(1);
