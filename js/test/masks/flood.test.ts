import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { regionAt } from "../../src/masks/flood";

const WIDTH = 9;
const HEIGHT = 7;

/** The region grown pixel by pixel, as a definition would have it. */
function grown(labels: Uint8Array, x: number, y: number, object: number): Set<number> {
  const inside = labels[y * WIDTH + x] === object;
  const region = new Set<number>();
  const waiting = [[x, y]];
  while (waiting.length > 0) {
    const [px, py] = waiting.pop() as [number, number];
    if (px < 0 || py < 0 || px >= WIDTH || py >= HEIGHT) continue;
    const i = py * WIDTH + px;
    if (region.has(i) || (labels[i] === object) !== inside) continue;
    region.add(i);
    waiting.push([px + 1, py], [px - 1, py], [px, py + 1], [px, py - 1]);
  }
  return region;
}

const maps = fc
  .uint8Array({ minLength: WIDTH * HEIGHT, maxLength: WIDTH * HEIGHT, max: 2 })
  .map((labels) => Uint8Array.from(labels));

describe("a region", () => {
  it("is what can be reached without leaving it, and is enclosed where it meets no edge", () => {
    fc.assert(
      fc.property(maps, fc.nat(WIDTH - 1), fc.nat(HEIGHT - 1), (labels, x, y) => {
        const { spans, enclosed, rect } = regionAt(labels, WIDTH, x, y, 1);
        const found = new Set<number>();
        for (let s = 0; s < spans.length; s += 2) {
          for (let i = spans[s]; i < spans[s + 1]; i++) {
            expect(found.has(i)).toBe(false);
            found.add(i);
          }
        }
        expect(found).toEqual(grown(labels, x, y, 1));
        const columns = [...found].map((i) => i % WIDTH);
        const rows = [...found].map((i) => Math.floor(i / WIDTH));
        expect(rect).toEqual({
          x0: Math.min(...columns),
          y0: Math.min(...rows),
          x1: Math.max(...columns) + 1,
          y1: Math.max(...rows) + 1,
        });
        const touches = rect.x0 === 0 || rect.y0 === 0 || rect.x1 === WIDTH || rect.y1 === HEIGHT;
        expect(enclosed).toBe(!touches);
      }),
    );
  });

  it("of a hole holds other objects in it too", () => {
    const labels = new Uint8Array(WIDTH * HEIGHT).fill(1);
    labels[3 * WIDTH + 3] = 0;
    labels[3 * WIDTH + 4] = 2;
    const { spans, enclosed } = regionAt(labels, WIDTH, 3, 3, 1);
    expect(spans).toEqual([3 * WIDTH + 3, 3 * WIDTH + 5]);
    expect(enclosed).toBe(true);
  });
});
