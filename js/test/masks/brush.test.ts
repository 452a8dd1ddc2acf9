import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { strokeSegment } from "../../src/masks/brush";
import type { Point } from "../../src/masks/geometry";

const WIDTH = 40;
const HEIGHT = 30;
/** So near to the edge of a stroke, rounding decides. */
const EDGE = 1e-6;

function paint(a: Point, b: Point, diameter: number) {
  const pixels = new Uint8Array(WIDTH * HEIGHT);
  const rect = strokeSegment(WIDTH, HEIGHT, a, b, diameter, (start, end) =>
    pixels.fill(1, start, end),
  );
  return { pixels, rect };
}

/** Distance from the centre of a pixel to the segment, as a definition would have it. */
function distance(p: Point, a: Point, b: Point): number {
  const length = (b.x - a.x) ** 2 + (b.y - a.y) ** 2;
  const along = length === 0 ? 0 : ((p.x - a.x) * (b.x - a.x) + (p.y - a.y) * (b.y - a.y)) / length;
  const t = Math.min(1, Math.max(0, along));
  return Math.hypot(p.x - a.x - t * (b.x - a.x), p.y - a.y - t * (b.y - a.y));
}

const points = fc.record({
  x: fc.double({ min: -20, max: WIDTH + 20, noNaN: true }),
  y: fc.double({ min: -20, max: HEIGHT + 20, noNaN: true }),
});
const diameters = fc.double({ min: 2, max: 25, noNaN: true });

describe("a stroke", () => {
  it("covers the pixels whose centre lies within its radius, and no others", () => {
    fc.assert(
      fc.property(points, points, diameters, (a, b, diameter) => {
        const { pixels } = paint(a, b, diameter);
        const wrong = [...pixels.keys()].filter((i) => {
          const d = distance({ x: i % WIDTH, y: Math.floor(i / WIDTH) }, a, b);
          const onEdge = Math.abs(d - diameter / 2) < EDGE;
          return !onEdge && pixels[i] !== (d < diameter / 2 ? 1 : 0);
        });
        expect(wrong).toEqual([]);
      }),
      { numRuns: 300 },
    );
  });

  it("stays within the rectangle it names", () => {
    fc.assert(
      fc.property(points, points, diameters, (a, b, diameter) => {
        const { pixels, rect } = paint(a, b, diameter);
        const outside = [...pixels.keys()].filter((i) => {
          const x = i % WIDTH;
          const y = Math.floor(i / WIDTH);
          return pixels[i] && !(x >= rect.x0 && x < rect.x1 && y >= rect.y0 && y < rect.y1);
        });
        expect(outside).toEqual([]);
      }),
    );
  });

  it("of the smallest brush paints a pixel wherever it is set down", () => {
    fc.assert(
      fc.property(
        fc.double({ min: -0.5, max: WIDTH - 0.51, noNaN: true }),
        fc.double({ min: -0.5, max: HEIGHT - 0.51, noNaN: true }),
        (x, y) => {
          const at = { x, y };
          expect(paint(at, at, 1).pixels.some(Boolean)).toBe(true);
        },
      ),
    );
  });

  it("far outside leaves everything as it was", () => {
    const far = { x: -500, y: 10 };
    expect(paint(far, far, 20).pixels.some(Boolean)).toBe(false);
  });
});
