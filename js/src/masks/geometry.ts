/** Points, sizes and rectangles on a picture, in its pixels; pixel centres are at integers. Pure. */

export interface Point {
  x: number;
  y: number;
}

export interface Size {
  width: number;
  height: number;
}

/** Whole pixels, `x1` and `y1` excluded. */
export interface Rect {
  x0: number;
  y0: number;
  x1: number;
  y1: number;
}

/** Whether a point lies in the picture. */
export const contains = (image: Size, p: Point): boolean =>
  p.x >= -0.5 && p.x < image.width - 0.5 && p.y >= -0.5 && p.y < image.height - 0.5;

export const isEmpty = (r: Rect): boolean => r.x1 <= r.x0 || r.y1 <= r.y0;

export const whole = (width: number, height: number): Rect => ({
  x0: 0,
  y0: 0,
  x1: width,
  y1: height,
});

/** The smallest rectangle that holds both; an empty one adds nothing. */
export function union(a: Rect | null, b: Rect): Rect {
  if (!a || isEmpty(a)) return b;
  if (isEmpty(b)) return a;
  return {
    x0: Math.min(a.x0, b.x0),
    y0: Math.min(a.y0, b.y0),
    x1: Math.max(a.x1, b.x1),
    y1: Math.max(a.y1, b.y1),
  };
}

/** `r` with a margin, cut to a picture of `width` x `height`. */
export function grow(r: Rect, margin: number, width: number, height: number): Rect {
  return {
    x0: Math.max(0, Math.floor(r.x0 - margin)),
    y0: Math.max(0, Math.floor(r.y0 - margin)),
    x1: Math.min(width, Math.ceil(r.x1 + margin)),
    y1: Math.min(height, Math.ceil(r.y1 + margin)),
  };
}

/** What both hold; empty where they do not meet. */
export function intersection(a: Rect, b: Rect): Rect {
  const x0 = Math.max(a.x0, b.x0);
  const y0 = Math.max(a.y0, b.y0);
  return { x0, y0, x1: Math.max(x0, Math.min(a.x1, b.x1)), y1: Math.max(y0, Math.min(a.y1, b.y1)) };
}

export const distance = (a: Point, b: Point): number => Math.hypot(a.x - b.x, a.y - b.y);
