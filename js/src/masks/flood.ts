/** The connected region a point lies in: holes to fill, islands to take away. Pure. */

import { type Rect, union } from "./geometry";

export interface Region {
  rect: Rect;
  /** Start and end of every row of the region, one pair after the other. */
  spans: number[];
  /** Whether the region ends before the edge of the picture on every side. */
  enclosed: boolean;
}

/**
 * The pixels joined to (`x`, `y`) by shared edges that, as it does, belong to `object` or do not.
 *
 * @param labels label map of `width` columns
 */
export function regionAt(
  labels: Uint8Array,
  width: number,
  x: number,
  y: number,
  object: number,
): Region {
  const height = labels.length / width;
  const inside = labels[y * width + x] === object;
  const seen = new Uint8Array(labels.length);
  const region: Region = { rect: { x0: x, y0: y, x1: x, y1: y }, spans: [], enclosed: true };
  const open = (i: number) => !seen[i] && (labels[i] === object) === inside;
  const waiting = [y * width + x];
  while (waiting.length > 0) {
    const from = waiting.pop() as number;
    if (!open(from)) continue;
    const row = Math.floor(from / width);
    let start = from;
    let end = from + 1;
    while (start > row * width && open(start - 1)) start--;
    while (end < (row + 1) * width && open(end)) end++;
    seen.fill(1, start, end);
    region.spans.push(start, end);
    const x0 = start - row * width;
    const x1 = end - row * width;
    region.rect = union(region.rect, { x0, y0: row, x1, y1: row + 1 });
    if (x0 === 0 || x1 === width || row === 0 || row === height - 1) region.enclosed = false;
    for (const other of [row - 1, row + 1]) {
      if (other < 0 || other >= height) continue;
      for (let i = start; i < end; i++) {
        const above = i + (other - row) * width;
        // One seed per stretch is enough: the scan of its row finds the rest.
        if (open(above) && (i === start || !open(above - 1))) waiting.push(above);
      }
    }
  }
  return region;
}
