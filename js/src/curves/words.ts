/** Numbers and sentences as people read them. Pure. */

import { type Line, timeTo, valueAt } from "../chart/lines";
import { seconds } from "../ui/format";
import type { Progress } from "./traits";

export function time(value: number, unit: "hours" | "seconds"): string {
  return unit === "seconds" ? seconds(value) : `${Number(value.toPrecision(3))} h`;
}

export const quality = (value: number): string => String(Number(value.toFixed(3)));

/** "0.31 h", or that the line never gets there. */
export function reached(line: Line, target: number, unit: "hours" | "seconds"): string {
  const when = timeTo(line, target);
  return when === null ? "not reached" : time(when, unit);
}

/** "0.83 (0.79–0.86)"; a dash where the line is not. */
export function reading(line: Line, at: number): string {
  const value = valueAt(line, at);
  if (value === null) return "–";
  const [low, high] = [valueAt(line, at, "low"), valueAt(line, at, "high")];
  const interval =
    low === null || high === null || Number.isNaN(low + high)
      ? ""
      : ` (${low.toFixed(3)}–${high.toFixed(3)})`;
  return value.toFixed(3) + interval;
}

/** How far a run is, and how long it may still take. */
export function howFar({ phase, done, total, seconds_left, message }: Progress): string {
  const loops = total ? `${done} of ${total} loops` : "";
  switch (phase) {
    case "running":
      if (!total) return "Starting …";
      if (seconds_left === null) return loops;
      return `${loops}, about ${roughly(seconds_left)} left`;
    case "stopping":
      return "Stopping; the rounds that are being computed end first …";
    case "stopped":
      return `Stopped after ${loops}; what is finished is kept`;
    case "done":
      return `Finished, ${total} loops`;
    case "failed":
      return message;
  }
}

const roughly = (value: number) =>
  value < 90 ? seconds(Math.max(1, Math.round(value))) : `${Math.round(value / 60)} min`;
