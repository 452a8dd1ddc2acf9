/** How long it may still take to reach a quality. Pure. */

export interface Measured {
  seconds: number;
  quality: number;
}

/** Points the slope is taken over: the last rounds tell what a second is worth now. */
const LAST = 4;
/** A straight line is not believed further than so many times what was spent already. */
const HORIZON = 2;

export type Forecast = "reached" | number | null;

/**
 * Seconds until a target is reached: the straight line through the last rounds goes on.
 *
 * Null where that cannot be known: fewer than three rounds, no gain in them, or a target so far
 * off that the line would be a guess. Gains tend to shrink, so it may take longer.
 */
export function secondsTo(target: number, curve: readonly Measured[]): Forecast {
  const last = curve.at(-1);
  if (!last) return null;
  if (last.quality >= target) return "reached";
  const recent = curve.slice(-LAST);
  const spent = last.seconds - recent[0].seconds;
  const gain = slope(recent);
  if (recent.length < 3 || spent <= 0 || gain <= 0) return null;
  const more = (target - last.quality) / gain;
  return more <= HORIZON * last.seconds ? more : null;
}

/** Least squares. */
function slope(points: readonly Measured[]): number {
  const mean = (values: number[]) => values.reduce((a, b) => a + b, 0) / values.length;
  const x = mean(points.map((p) => p.seconds));
  const y = mean(points.map((p) => p.quality));
  const covariance = mean(points.map((p) => (p.seconds - x) * (p.quality - y)));
  const variance = mean(points.map((p) => (p.seconds - x) ** 2));
  return variance > 0 ? covariance / variance : 0;
}
