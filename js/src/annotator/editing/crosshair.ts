/** A pointer for the keyboard: where it starts, how it steps, and how it is told. Pure. */

import type { Point, Size } from "../../masks/geometry";

/** Big steps that cross the longer side of the picture. */
const BIG_STEPS = 40;

/** Pixels of a big step; a small one is one pixel. */
export const bigStep = ({ width, height }: Size): number =>
  Math.max(2, Math.round(Math.max(width, height) / BIG_STEPS));

/** On whole pixels and within the picture. */
export const onPixel = ({ x, y }: Point, { width, height }: Size): Point => ({
  x: Math.min(Math.max(Math.round(x), 0), width - 1),
  y: Math.min(Math.max(Math.round(y), 0), height - 1),
});

export const stepped = (at: Point, dx: number, dy: number, image: Size): Point =>
  onPixel({ x: at.x + dx, y: at.y + dy }, image);

/** Where it is and what is there, for those who listen. */
export function describe(at: Point, here: string | undefined): string {
  return `column ${at.x}, row ${at.y}, ${here ? `on ${here}` : "background"}`;
}
