import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { bigStep, onPixel, stepped, describe as tell } from "../../src/annotator/editing/crosshair";

const IMAGE = { width: 854, height: 480 };

describe("the crosshair", () => {
  it("stands on a pixel of the picture wherever it is sent", () => {
    const numbers = fc.double({ min: -2000, max: 2000, noNaN: true });
    fc.assert(
      fc.property(numbers, numbers, numbers, numbers, (x, y, dx, dy) => {
        const at = stepped(onPixel({ x, y }, IMAGE), dx, dy, IMAGE);
        expect(Number.isInteger(at.x) && Number.isInteger(at.y)).toBe(true);
        expect(at.x >= 0 && at.x < IMAGE.width && at.y >= 0 && at.y < IMAGE.height).toBe(true);
      }),
    );
  });

  it("crosses any picture in forty big steps, and a tiny one in steps of more than one", () => {
    expect(bigStep(IMAGE) * 40).toBeGreaterThanOrEqual(IMAGE.width - 20);
    expect(bigStep({ width: 1080, height: 1920 })).toBe(48);
    expect(bigStep({ width: 8, height: 8 })).toBe(2);
  });

  it("is told with what lies under it", () => {
    expect(tell({ x: 3, y: 4 }, "rider")).toBe("column 3, row 4, on rider");
    expect(tell({ x: 3, y: 4 }, undefined)).toContain("background");
  });
});
