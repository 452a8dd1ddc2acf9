/** Boxes that lie on each other, moved apart. Pure. */

import type { Point, Size } from "../../masks/geometry";

export type Box = Point & Size;

/** Where a box may go instead, in its own widths and heights, the nearest first. */
const BESIDE = [
  [0, 0],
  [1, 0],
  [-1, 0],
  [0, -1],
  [0, 1],
  [1, -1],
  [-1, -1],
  [1, 1],
  [-1, 1],
  [2, 0],
  [-2, 0],
];

/** Pixels between two boxes, which have an outline. */
const APART = 3;

const touch = (a: Box, b: Box): boolean =>
  Math.abs(a.x + a.width / 2 - b.x - b.width / 2) < (a.width + b.width) / 2 + APART &&
  Math.abs(a.y - b.y) < (a.height + b.height) / 2 + APART;

/**
 * Boxes beside those before them where they would lie on one; where all is taken, on it. None is
 * sent above the picture.
 */
export function spread(wanted: readonly Box[]): Box[] {
  const placed: Box[] = [];
  for (const box of wanted) {
    const places = BESIDE.map(([across, down]) => ({
      ...box,
      x: box.x + across * (box.width + APART),
      y: box.y + down * (box.height + APART),
    }));
    const free = (place: Box) => place.y >= 0 && !placed.some((other) => touch(place, other));
    placed.push(places.find(free) ?? box);
  }
  return placed;
}
