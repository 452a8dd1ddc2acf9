/** What is said of points that are proposed for verification. */

/** What the points of each region are proposed as: foreground, background, uncertain. */
export const PROPOSED = [
  "proposed as part of it",
  "proposed as not part of it",
  "uncertain",
] as const;
