import fc from "fast-check";
import { beforeEach, describe, expect, it } from "vitest";
import { Viewport } from "../../src/video/viewport";

const IMAGE = { width: 200, height: 100 };

let changes: number;
let viewport: Viewport;

beforeEach(() => {
  changes = 0;
  viewport = new Viewport(IMAGE, () => changes++);
  viewport.resize({ width: 400, height: 400 }, 2);
});

const place = fc.record({
  x: fc.integer({ min: 0, max: 399 }),
  y: fc.integer({ min: 0, max: 399 }),
});

describe("the viewport", () => {
  it("fits the picture until it is zoomed or moved, and again when it is asked to", () => {
    expect(viewport.view).toEqual({ scale: 2, x: 0, y: 100 });
    viewport.resize({ width: 100, height: 400 }, 2);
    expect(viewport.view.scale).toBe(0.5);
    viewport.zoom(4, viewport.middle);
    viewport.resize({ width: 200, height: 400 }, 2);
    expect(viewport.view.scale).toBe(4);
    viewport.fit();
    expect(viewport.view.scale).toBe(1);
    expect(changes).toBe(5);
  });

  it("shows image pixels as large as device pixels", () => {
    for (const density of [1, 2]) {
      viewport.resize({ width: 100, height: 100 }, density);
      viewport.zoom(3, viewport.middle);
      viewport.actualSize(viewport.middle);
      expect(viewport.view.scale).toBeCloseTo(1 / density, 6);
    }
  });

  it("brings any point of the picture into sight, and leaves one in sight where it is", () => {
    fc.assert(
      fc.property(
        place,
        fc.integer({ min: 2, max: 12 }),
        fc.integer({ min: 0, max: IMAGE.width - 1 }),
        fc.integer({ min: 0, max: IMAGE.height - 1 }),
        (at, factor, x, y) => {
          viewport.fit();
          viewport.zoom(factor, at);
          viewport.reveal({ x, y }, 10);
          const seen = viewport.toScreen({ x, y });
          for (const v of [seen.x, seen.y]) {
            expect(v).toBeGreaterThanOrEqual(9.99);
            expect(v).toBeLessThanOrEqual(390.01);
          }
          const before = viewport.view;
          viewport.reveal({ x, y }, 10);
          expect(viewport.view).toEqual(before);
        },
      ),
    );
  });

  it("turns places on the screen into places on the picture, and back", () => {
    fc.assert(
      fc.property(place, fc.double({ min: 0.5, max: 8, noNaN: true }), (at, factor) => {
        viewport.zoom(factor, at);
        const back = viewport.toScreen(viewport.toImage(at));
        expect(back.x).toBeCloseTo(at.x, 6);
        expect(back.y).toBeCloseTo(at.y, 6);
      }),
    );
  });
});
