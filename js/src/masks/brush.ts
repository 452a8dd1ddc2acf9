/** Rasterises a round brush: a dot, or the path between two points. Pure. */

import { grow, isEmpty, type Point, type Rect } from "./geometry";

/**
 * Visits every row of the capsule of radius `diameter / 2` around the segment `a`-`b`.
 *
 * A pixel belongs to it when its centre (an integer position) lies within the radius; the pixel
 * nearest to a dot always does, so that the smallest brush paints one pixel.
 *
 * Returns the rectangle that holds all visited pixels, cut to the picture.
 */
export function strokeSegment(
  width: number,
  height: number,
  a: Point,
  b: Point,
  diameter: number,
  span: (start: number, end: number) => void,
): Rect {
  const radius = Math.max(diameter / 2, Math.SQRT1_2);
  const box = grow(
    {
      x0: Math.min(a.x, b.x),
      y0: Math.min(a.y, b.y),
      x1: Math.max(a.x, b.x) + 1,
      y1: Math.max(a.y, b.y) + 1,
    },
    radius,
    width,
    height,
  );
  if (isEmpty(box)) return box;
  const dx = b.x - a.x;
  const dy = b.y - a.y;
  const length = Math.hypot(dx, dy);
  for (let y = box.y0; y < box.y1; y++) {
    const [left, right] = capsuleRow(y, a, b, dx, dy, length, radius);
    const x0 = Math.max(box.x0, Math.ceil(left));
    const x1 = Math.min(box.x1, Math.floor(right) + 1);
    if (x1 > x0) span(y * width + x0, y * width + x1);
  }
  return box;
}

/** Where row `y` enters and leaves the capsule: the union of two discs and the band between. */
function capsuleRow(
  y: number,
  a: Point,
  b: Point,
  dx: number,
  dy: number,
  length: number,
  radius: number,
): [left: number, right: number] {
  let left = Number.POSITIVE_INFINITY;
  let right = Number.NEGATIVE_INFINITY;
  for (const end of [a, b]) {
    const h = radius * radius - (y - end.y) ** 2;
    if (h >= 0) {
      left = Math.min(left, end.x - Math.sqrt(h));
      right = Math.max(right, end.x + Math.sqrt(h));
    }
  }
  if (length > 0) {
    // Along the row, the band |distance to the line| <= radius and 0 <= projection <= length
    // is a convex quadrilateral: intersect its four half-planes with the row.
    let low = Number.NEGATIVE_INFINITY;
    let high = Number.POSITIVE_INFINITY;
    const clip = (slope: number, offset: number, min: number, max: number) => {
      if (slope === 0) {
        if (offset < min || offset > max) high = Number.NEGATIVE_INFINITY;
        return;
      }
      const p = (min - offset) / slope;
      const q = (max - offset) / slope;
      low = Math.max(low, Math.min(p, q));
      high = Math.min(high, Math.max(p, q));
    };
    const ux = dx / length;
    const uy = dy / length;
    clip(ux, (y - a.y) * uy - a.x * ux, 0, length);
    clip(-uy, (y - a.y) * ux + a.x * uy, -radius, radius);
    if (low <= high) {
      left = Math.min(left, low);
      right = Math.max(right, high);
    }
  }
  return [left, right];
}
