/** Things drawn, each a layer on those before: which pixels it touches, and what it leaves. Pure. */

import { intersection, type Point, type Rect, union, whole } from "../../masks/geometry";
import { fillPolygon } from "../../masks/polygon";

/** What is left on the pixels that were touched; 0 is an untouched pixel. */
export const PAINTED = 1;
export const ERASED = 2;
export type Paint = typeof PAINTED | typeof ERASED;

/** Something drawn: which pixels of `rect` it touches, and what it leaves there. */
export interface Layer {
  readonly value: Paint;
  readonly rect: Rect;
  readonly touched: Uint8Array;
  /** Of a polygon, to be moved until it is committed. */
  readonly vertices: readonly Point[] | null;
}

/** An outline that is not closed yet. */
export interface Path {
  readonly vertices: readonly Point[];
  readonly value: Paint;
}

/** The smallest rectangle that holds all layers. */
export const rectOf = (layers: readonly Layer[]): Rect =>
  layers.reduce((all, layer) => union(all, layer.rect), whole(0, 0));

/**
 * Draws layers within `rect` over what is there.
 *
 * @param edit per pixel what is left there, of a picture `width` wide
 */
export function drawLayers(
  edit: Uint8Array,
  width: number,
  layers: readonly Layer[],
  rect: Rect,
): void {
  for (const { value, rect: own, touched } of layers) {
    const part = intersection(own, rect);
    for (let y = part.y0; y < part.y1; y++) {
      const shift = (y - own.y0) * (own.x1 - own.x0) - own.x0;
      for (let x = part.x0; x < part.x1; x++) {
        if (touched[shift + x]) edit[y * width + x] = value;
      }
    }
  }
}

/** Draws nothing but the layers within `rect`. */
export function redrawLayers(
  edit: Uint8Array,
  width: number,
  layers: readonly Layer[],
  rect: Rect,
): void {
  for (let y = rect.y0; y < rect.y1; y++) edit.fill(0, y * width + rect.x0, y * width + rect.x1);
  drawLayers(edit, width, layers, rect);
}

/** A filled polygon. */
export function polygonLayer(width: number, height: number, { vertices, value }: Path): Layer {
  const touched = new Uint8Array(width * height);
  const rect = fillPolygon(width, height, vertices, (start, end) => touched.fill(1, start, end));
  return { value, rect, touched: cut(touched, width, rect), vertices };
}

/** The part of a picture in a rectangle, row by row. */
export function cut(source: Uint8Array, width: number, { x0, y0, x1, y1 }: Rect): Uint8Array {
  const piece = new Uint8Array(Math.max(0, x1 - x0) * Math.max(0, y1 - y0));
  for (let y = y0; y < y1; y++) {
    piece.set(source.subarray(y * width + x0, y * width + x1), (y - y0) * (x1 - x0));
  }
  return piece;
}
