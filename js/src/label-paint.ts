/** From label maps to coloured pixels. Pure. */

import type { Point } from "./brush";
import type { ObjectInfo } from "./protocol";
import type { Rect } from "./rect";

/** RGBA per label, as the little-endian uint32 an `ImageData` holds. */
export interface Palette {
  fill: Uint32Array;
  line: Uint32Array;
}

const parseHex = (color: string): [number, number, number] => {
  const value = Number.parseInt(color.slice(1), 16);
  return [(value >> 16) & 255, (value >> 8) & 255, value & 255];
};

/** Colours of the visible objects; hidden ones and the background stay transparent. */
export function palette(objects: readonly ObjectInfo[], opacity: number): Palette {
  const fill = new Uint32Array(256);
  const line = new Uint32Array(256);
  for (const { id, color, visible } of objects) {
    if (!visible) continue;
    const [r, g, b] = parseHex(color);
    const rgb = (b << 16) | (g << 8) | r;
    fill[id] = ((Math.round(opacity * 255) << 24) | rgb) >>> 0;
    line[id] = ((255 << 24) | rgb) >>> 0;
  }
  return { fill, line };
}

/**
 * Colours `rect` of a label map.
 *
 * @param thickness of the outline, in image pixels, inside the object; 0 for none
 */
export function paintLabels(
  labels: Uint8Array,
  width: number,
  height: number,
  pixels: Uint32Array,
  { fill, line }: Palette,
  thickness: number,
  rect: Rect,
): void {
  const down = thickness * width;
  for (let y = rect.y0; y < rect.y1; y++) {
    const row = y * width;
    const inside = y >= thickness && y < height - thickness;
    for (let x = rect.x0; x < rect.x1; x++) {
      const i = row + x;
      const label = labels[i];
      if (label === 0) {
        pixels[i] = 0;
        continue;
      }
      const edge =
        thickness > 0 &&
        ((x >= thickness && labels[i - thickness] !== label) ||
          (x < width - thickness && labels[i + thickness] !== label) ||
          (inside
            ? labels[i - down] !== label || labels[i + down] !== label
            : (y >= thickness && labels[i - down] !== label) ||
              (y < height - thickness && labels[i + down] !== label)));
      pixels[i] = edge ? line[label] : fill[label];
    }
  }
}

/** Where each label's topmost row begins and ends, as the middle of it: a place for its tag. */
export function anchors(labels: Uint8Array, width: number): Map<number, Point> {
  const found = new Map<number, Point>();
  for (let i = 0; i < labels.length; i++) {
    const label = labels[i];
    if (label === 0 || found.has(label)) continue;
    const y = Math.floor(i / width);
    const end = (y + 1) * width;
    let last = i;
    while (last + 1 < end && labels[last + 1] === label) last++;
    found.set(label, { x: (i + last) / 2 - y * width, y });
    i = last;
  }
  return found;
}
