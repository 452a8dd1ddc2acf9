/** From label maps to coloured pixels. Pure. */

import type { Point, Rect } from "./geometry";

/** How the pixels of a label are shown. */
export interface LabelLook {
  id: number;
  /** #rrggbb. */
  color: string;
  visible: boolean;
}

/** RGBA per label, as the little-endian uint32 an `ImageData` holds. */
export interface Palette {
  fill: Uint32Array;
  line: Uint32Array;
}

const parseHex = (color: string): [number, number, number] => {
  const value = Number.parseInt(color.slice(1), 16);
  return [(value >> 16) & 255, (value >> 8) & 255, value & 255];
};

const opaque = (color: string): number => {
  const [r, g, b] = parseHex(color);
  return ((255 << 24) | (b << 16) | (g << 8) | r) >>> 0;
};

/** The palette of DAVIS and PASCAL VOC: the bits of an id go in turn to red, green and blue. */
export function davisColor(id: number): string {
  let rgb = 0;
  for (let bit = 0; bit < 8; bit++) {
    const channel = bit % 3;
    const value = (id >> bit) & 1;
    rgb |= value << (16 - 8 * channel + 7 - Math.floor(bit / 3));
  }
  return `#${rgb.toString(16).padStart(6, "0")}`;
}

/** Colours of the visible objects; hidden ones and the background stay transparent. */
export function palette(objects: readonly LabelLook[], opacity: number): Palette {
  const fill = new Uint32Array(256);
  const line = new Uint32Array(256);
  for (const { id, color, visible } of objects) {
    if (!visible) continue;
    line[id] = opaque(color);
    fill[id] = ((Math.round(opacity * 255) << 24) | (line[id] & 0xff_ff_ff)) >>> 0;
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

/** Between two hatches the picture shows through: white at a third of its opacity. */
const PAPER = 0x55_ff_ff_ff;
/** The object is new here, and the object is gone: told apart by hatching as well as colour. */
export const ADDED = "#0072b2";
export const REMOVED = "#d55e00";

/**
 * Paints over `rect` what differs from an earlier label map: rising hatches where an object is
 * new, falling ones where it is gone.
 *
 * @param period width of one light and one dark line together, in image pixels
 */
export function paintDifference(
  labels: Uint8Array,
  before: Uint8Array,
  width: number,
  pixels: Uint32Array,
  period: number,
  rect: Rect,
): void {
  const [added, removed] = [ADDED, REMOVED].map((color) => opaque(color));
  for (let y = rect.y0; y < rect.y1; y++) {
    for (let x = rect.x0; x < rect.x1; x++) {
      const i = y * width + x;
      if (labels[i] === before[i]) continue;
      const along = labels[i] ? x + y : x - y;
      const dark = (((along % period) + period) % period) * 2 < period;
      pixels[i] = dark ? (labels[i] ? added : removed) : PAPER;
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
