/** Numbers as people read them. Pure. */

/** A duration: "5.5 s", "42 s", "1 min 20 s". */
export function seconds(value: number): string {
  if (value < 9.95) return `${Number(Math.max(0, value).toFixed(1))} s`;
  const whole = Math.round(value);
  if (whole < 60) return `${whole} s`;
  const rest = whole % 60;
  return `${Math.floor(whole / 60)} min${rest ? ` ${rest} s` : ""}`;
}

/** How long ago: "just now", "40 s ago", "3 min ago". */
export function ago(value: number): string {
  if (value < 5) return "just now";
  if (value < 60) return `${Math.floor(value / 5) * 5} s ago`;
  if (value < 3600) return `${Math.floor(value / 60)} min ago`;
  return `${Math.floor(value / 3600)} h ago`;
}

/** A quality between 0 and 1 with two digits. */
export const quality = (value: number): string => value.toFixed(2);

/** What J&F is, for those who have not met it. */
export const J_AND_F =
  "J&F: the mean of J, how much of the masks overlaps (IoU), and F, how well their outlines agree; 0 to 1";
