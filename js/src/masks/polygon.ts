/** Polygons: which pixels lie inside, and which vertex is near. Pure. */

import { distance, grow, isEmpty, type Point, type Rect, whole } from "./geometry";

/** A polygon of fewer vertices has no inside. */
export const MIN_VERTICES = 3;

/**
 * Visits the rows of a polygon by the even-odd rule, as the kernel's `from_polygons` fills it: a
 * pixel belongs to it when its centre (an integer position) lies inside.
 *
 * Returns the rectangle that holds all visited pixels, cut to the picture.
 */
export function fillPolygon(
  width: number,
  height: number,
  vertices: readonly Point[],
  span: (start: number, end: number) => void,
): Rect {
  if (vertices.length < MIN_VERTICES) return whole(0, 0);
  const xs = vertices.map((v) => v.x);
  const ys = vertices.map((v) => v.y);
  const bounds = {
    x0: Math.min(...xs),
    y0: Math.min(...ys),
    x1: Math.max(...xs) + 1,
    y1: Math.max(...ys) + 1,
  };
  const box = grow(bounds, 0, width, height);
  if (isEmpty(box)) return whole(0, 0);
  for (let y = box.y0; y < box.y1; y++) {
    const crossings = crossingsOf(y, vertices);
    for (let i = 0; i + 1 < crossings.length; i += 2) {
      const x0 = Math.max(box.x0, Math.ceil(crossings[i]));
      const x1 = Math.min(box.x1, Math.ceil(crossings[i + 1]));
      if (x1 > x0) span(y * width + x0, y * width + x1);
    }
  }
  return box;
}

/** Columns where row `y` crosses the outline, ascending. An edge owns its upper end. */
function crossingsOf(y: number, vertices: readonly Point[]): number[] {
  const columns: number[] = [];
  vertices.forEach((b, i) => {
    const a = vertices.at(i - 1) as Point;
    if (a.y <= y !== b.y <= y) columns.push(a.x + ((y - a.y) / (b.y - a.y)) * (b.x - a.x));
  });
  return columns.sort((p, q) => p - q);
}

/** Index of the vertex nearest to `at`, within `reach`; -1 where there is none. */
export function vertexNear(vertices: readonly Point[], at: Point, reach: number): number {
  let nearest = -1;
  let least = reach;
  vertices.forEach((vertex, index) => {
    const far = distance(vertex, at);
    if (far <= least) {
      least = far;
      nearest = index;
    }
  });
  return nearest;
}

/**
 * Whether a click closes an open outline: it is within `reach` of the first vertex, after the
 * outline has been farther away. Corners may lie nearer to each other than that.
 */
export function closesAt(vertices: readonly Point[], at: Point, reach: number): boolean {
  if (vertices.length < MIN_VERTICES || distance(vertices[0], at) > reach) return false;
  return vertices.some((vertex) => distance(vertices[0], vertex) > reach);
}
