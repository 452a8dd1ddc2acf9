import { describe, expect, it } from "vitest";
import { whole } from "../../src/masks/geometry";
import {
  anchors,
  davisColor,
  paintDifference,
  paintLabels,
  palette,
} from "../../src/masks/label-paint";

const objects = [
  { id: 1, name: "rider", color: "#e69f00", visible: true, locked: false },
  { id: 2, name: "horse", color: "#0072b2", visible: false, locked: false },
];
const WIDTH = 5;
const HEIGHT = 5;

function square(): Uint8Array {
  const labels = new Uint8Array(WIDTH * HEIGHT);
  for (let y = 1; y < 4; y++) labels.fill(1, y * WIDTH + 1, y * WIDTH + 4);
  return labels;
}

function painted(labels: Uint8Array, thickness: number, rect = whole(WIDTH, HEIGHT)) {
  const pixels = new Uint32Array(WIDTH * HEIGHT);
  paintLabels(labels, WIDTH, HEIGHT, pixels, palette(objects, 0.5), thickness, rect);
  return pixels;
}

describe("painting labels", () => {
  it("writes red, green, blue and opacity where an ImageData has them", () => {
    const bytes = new Uint8Array(painted(square(), 0).buffer);
    const middle = 4 * (2 * WIDTH + 2);
    expect([...bytes.slice(middle, middle + 4)]).toEqual([0xe6, 0x9f, 0x00, 128]);
    expect([...bytes.slice(0, 4)]).toEqual([0, 0, 0, 0]);
  });

  it("draws the outline inside the object and leaves its middle", () => {
    const { fill, line } = palette(objects, 0.5);
    const pixels = painted(square(), 1);
    expect(pixels[2 * WIDTH + 2]).toBe(fill[1]);
    expect(pixels.filter((p) => p === line[1])).toHaveLength(8);
  });

  it("draws no outline along the picture's edge", () => {
    const pixels = painted(new Uint8Array(WIDTH * HEIGHT).fill(1), 2);
    expect(new Set(pixels)).toEqual(new Set([palette(objects, 0.5).fill[1]]));
  });

  it("leaves hidden objects out, outline and all", () => {
    const hidden = square().map((label) => label * 2);
    expect(painted(hidden, 1).some(Boolean)).toBe(false);
  });

  it("touches nothing outside its rectangle", () => {
    const pixels = painted(square(), 1, { x0: 0, y0: 0, x1: 2, y1: HEIGHT });
    expect(pixels[2 * WIDTH + 3]).toBe(0);
    expect(pixels[2 * WIDTH + 1]).not.toBe(0);
  });
});

describe("anchors", () => {
  it("are the middle of each object's topmost row", () => {
    const labels = square();
    labels[4 * WIDTH + 4] = 2;
    expect(anchors(labels, WIDTH)).toEqual(
      new Map([
        [1, { x: 2, y: 1 }],
        [2, { x: 4, y: 4 }],
      ]),
    );
  });
});

const isOpaque = (pixel: number) => pixel >>> 24 === 255;

describe("the difference to a mask before", () => {
  /** Colours on a strip three rows high where an object is new on the left, gone on the right. */
  function hatched(period: number): { left: Uint32Array; right: Uint32Array; between: number } {
    const labels = new Uint8Array(60);
    const before = new Uint8Array(60);
    for (let y = 0; y < 3; y++) {
      labels.fill(1, y * 20, y * 20 + 12);
      before.fill(1, y * 20 + 8, y * 20 + 20);
    }
    const pixels = new Uint32Array(60).fill(7);
    paintDifference(labels, before, 20, pixels, period, whole(20, 3));
    const cut = (x: number) => Uint32Array.from([0, 1, 2].map((y) => pixels[y * 20 + x]));
    return { left: cut(4), right: cut(16), between: pixels[9] };
  }

  it("leaves what is the same alone, and colours new and gone differently", () => {
    const { left, right, between } = hatched(4);
    expect(between).toBe(7);
    const colors = (pixels: Uint32Array) => new Set([...pixels].filter(isOpaque));
    expect(colors(left)).toEqual(new Set([0xff_b2_72_00]));
    expect(colors(right)).toEqual(new Set([0xff_00_5e_d5]));
  });

  it("tells new from gone without colour, by the way the lines run", () => {
    const light = (pixels: Uint32Array) => [...pixels].map((p) => !isOpaque(p));
    const { left, right } = hatched(4);
    expect(light(left)).toEqual([false, false, true]);
    expect(light(right)).toEqual([false, true, true]);
  });
});

describe("the palette of DAVIS", () => {
  it("spreads the bits of an id over red, green and blue", () => {
    // Entries of PASCAL VOC's colour map, which DAVIS takes over.
    expect([1, 2, 3, 4, 8, 21].map(davisColor)).toEqual([
      "#800000",
      "#008000",
      "#808000",
      "#000080",
      "#400000",
      "#804080",
    ]);
  });
});
