import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { contains } from "../../src/masks/geometry";
import {
  fitView,
  keepInSight,
  pan,
  toImage,
  toScreen,
  zoomAt,
} from "../../src/video/view-transform";

const sizes = fc.record({
  width: fc.integer({ min: 16, max: 4000 }),
  height: fc.integer({ min: 16, max: 4000 }),
});
const inStage = fc.record({
  x: fc.double({ min: 0, max: 1, noNaN: true }),
  y: fc.double({ min: 0, max: 1, noNaN: true }),
});

describe("the view", () => {
  it("shows the whole picture, centred, when it is fitted", () => {
    fc.assert(
      fc.property(sizes, sizes, (image, stage) => {
        const view = fitView(image, stage);
        const first = toScreen(view, { x: -0.5, y: -0.5 });
        const last = toScreen(view, { x: image.width - 0.5, y: image.height - 0.5 });
        expect(first.x + last.x).toBeCloseTo(stage.width, 6);
        expect(first.y + last.y).toBeCloseTo(stage.height, 6);
        const fills = Math.max((last.x - first.x) / stage.width, (last.y - first.y) / stage.height);
        expect(fills).toBeCloseTo(1, 9);
      }),
    );
  });

  it("has pixel centres at integers", () => {
    const view = { scale: 10, x: 100, y: 50 };
    expect(toImage(view, { x: 105, y: 55 })).toEqual({ x: 0, y: 0 });
    expect(toScreen(view, { x: -0.5, y: -0.5 })).toEqual({ x: 100, y: 50 });
  });

  it("finds its way back from screen to picture", () => {
    fc.assert(
      fc.property(sizes, sizes, inStage, (image, stage, part) => {
        const view = fitView(image, stage);
        const at = { x: part.x * stage.width, y: part.y * stage.height };
        const back = toScreen(view, toImage(view, at));
        expect(back.x).toBeCloseTo(at.x, 6);
        expect(back.y).toBeCloseTo(at.y, 6);
      }),
    );
  });

  it("keeps what is under the pointer there when it zooms in", () => {
    const image = { width: 854, height: 480 };
    const stage = { width: 800, height: 450 };
    const at = { x: 600, y: 300 };
    const before = fitView(image, stage);
    const after = zoomAt(before, at, 2, image, stage);
    expect(after.scale).toBeCloseTo(before.scale * 2);
    expect(toImage(after, at).x).toBeCloseTo(toImage(before, at).x);
    expect(toImage(after, at).y).toBeCloseTo(toImage(before, at).y);
  });

  it("never loses the picture, however it is zoomed and moved", () => {
    const moves = fc.array(
      fc.tuple(
        fc.double({ min: 0.01, max: 100, noNaN: true }),
        fc.double({ min: -5000, max: 5000, noNaN: true }),
        fc.double({ min: -5000, max: 5000, noNaN: true }),
      ),
      { maxLength: 8 },
    );
    fc.assert(
      fc.property(sizes, sizes, moves, (image, stage, steps) => {
        let view = fitView(image, stage);
        for (const [factor, dx, dy] of steps) {
          view = pan(zoomAt(view, { x: dx, y: dy }, factor, image, stage), dx, dy, image, stage);
        }
        const middle = toImage(view, { x: stage.width / 2, y: stage.height / 2 });
        expect(middle.x).toBeGreaterThanOrEqual(-0.5 - 1e-6);
        expect(middle.x).toBeLessThanOrEqual(image.width - 0.5 + 1e-6);
        expect(middle.y).toBeGreaterThanOrEqual(-0.5 - 1e-6);
        expect(middle.y).toBeLessThanOrEqual(image.height - 0.5 + 1e-6);
        expect(keepInSight(view, image, stage)).toEqual(view);
      }),
    );
  });

  it("knows the picture's edge as the kernel does", () => {
    const image = { width: 10, height: 5 };
    expect(contains(image, { x: -0.5, y: -0.5 })).toBe(true);
    expect(contains(image, { x: 9.49, y: 4.49 })).toBe(true);
    expect(contains(image, { x: 9.5, y: 0 })).toBe(false);
    expect(contains(image, { x: 0, y: -0.51 })).toBe(false);
  });
});
