import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { outlinesOf } from "../../src/masks/outlines";
import { fillPolygon } from "../../src/masks/polygon";

const WIDTH = 10;
const HEIGHT = 8;

const maps = fc
  .uint8Array({ minLength: WIDTH * HEIGHT, maxLength: WIDTH * HEIGHT, max: 2 })
  .map((labels) => Uint8Array.from(labels));

describe("outlines", () => {
  it("enclose exactly the pixels of their object", () => {
    fc.assert(
      fc.property(maps, (labels) => {
        const outlines = outlinesOf(labels, WIDTH, HEIGHT);
        for (const label of [1, 2]) {
          const filled = new Uint8Array(labels.length);
          for (const loop of outlines.get(label) ?? []) {
            const corners = [];
            for (let i = 0; i < loop.length; i += 2) corners.push({ x: loop[i], y: loop[i + 1] });
            fillPolygon(WIDTH, HEIGHT, corners, (start, end) => {
              for (let i = start; i < end; i++) filled[i] ^= 1;
            });
          }
          expect(filled).toEqual(labels.map((value) => (value === label ? 1 : 0)));
        }
      }),
    );
  });

  it("turn only at corners", () => {
    const labels = new Uint8Array(WIDTH * HEIGHT);
    for (const i of [11, 12, 13, 21, 22, 23]) labels[i] = 1;
    expect(outlinesOf(labels, WIDTH, HEIGHT)).toEqual(
      new Map([[1, [[3.5, 0.5, 3.5, 2.5, 0.5, 2.5, 0.5, 0.5]]]]),
    );
  });
});
