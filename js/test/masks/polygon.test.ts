import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isEmpty, type Point } from "../../src/masks/geometry";
import { fillPolygon, vertexNear } from "../../src/masks/polygon";

const WIDTH = 24;
const HEIGHT = 18;

function fill(vertices: readonly Point[]) {
  const pixels = new Uint8Array(WIDTH * HEIGHT);
  const rect = fillPolygon(WIDTH, HEIGHT, vertices, (start, end) => pixels.fill(1, start, end));
  return { pixels, rect };
}

/** Even-odd: how often a ray to the right crosses the outline, as a definition would have it. */
function inside({ x, y }: Point, vertices: readonly Point[]): boolean {
  let within = false;
  vertices.forEach((b, i) => {
    const a = vertices.at(i - 1) as Point;
    if (a.y <= y !== b.y <= y && x < a.x + ((y - a.y) / (b.y - a.y)) * (b.x - a.x)) {
      within = !within;
    }
  });
  return within;
}

/** Odd fractions, so that no pixel centre lies on an edge. */
const coordinate = (size: number) =>
  fc.integer({ min: -5 * 16, max: (size + 5) * 16 }).map((n) => n / 16 + 0.013);
const vertices = fc.array(fc.record({ x: coordinate(WIDTH), y: coordinate(HEIGHT) }), {
  minLength: 3,
  maxLength: 9,
});

describe("a polygon", () => {
  it("holds the pixels whose centre lies inside, wherever it crosses itself or the edge", () => {
    fc.assert(
      fc.property(vertices, (outline) => {
        const { pixels, rect } = fill(outline);
        pixels.forEach((value, i) => {
          const at = { x: i % WIDTH, y: Math.floor(i / WIDTH) };
          expect(value === 1, JSON.stringify(at)).toBe(inside(at, outline));
          const named = at.x >= rect.x0 && at.x < rect.x1 && at.y >= rect.y0 && at.y < rect.y1;
          expect(value === 0 || named).toBe(true);
        });
      }),
    );
  });

  it("does not depend on where its outline begins or which way it runs", () => {
    fc.assert(
      fc.property(vertices, fc.nat(8), (outline, shift) => {
        const turned = [...outline.slice(shift), ...outline.slice(0, shift)];
        expect(fill(turned).pixels).toEqual(fill(outline).pixels);
        expect(fill(outline.toReversed()).pixels).toEqual(fill(outline).pixels);
      }),
    );
  });

  it("of two vertices, or outside the picture, holds nothing", () => {
    const line = [
      { x: 1, y: 1 },
      { x: 9, y: 9 },
    ];
    expect(fill(line).pixels.some(Boolean)).toBe(false);
    const outside = [...line, { x: 1, y: 9 }].map(({ x, y }) => ({ x: x + 100, y }));
    expect(isEmpty(fill(outside).rect)).toBe(true);
  });

  it("is taken hold of at the nearest vertex within reach", () => {
    const outline = [
      { x: 0, y: 0 },
      { x: 10, y: 0 },
      { x: 10, y: 3 },
    ];
    expect(vertexNear(outline, { x: 9, y: 2 }, 4)).toBe(2);
    expect(vertexNear(outline, { x: 5, y: 0 }, 4)).toBe(-1);
  });
});
