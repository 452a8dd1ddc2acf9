import { describe, expect, it } from "vitest";
import { type Box, spread } from "../../src/annotator/editing/spread";

const at = (x: number, y: number, width = 16): Box => ({ x, y, width, height: 16 });

const overlaps = (boxes: Box[]) =>
  boxes.flatMap((a, i) =>
    boxes
      .slice(i + 1)
      .filter((b) => a.x < b.x + b.width && b.x < a.x + a.width && Math.abs(a.y - b.y) < a.height),
  );

describe("boxes that would lie on each other", () => {
  it("stay where nothing is in the way", () => {
    const wanted = [at(0, 0), at(40, 0), at(0, 40)];
    expect(spread(wanted)).toEqual(wanted);
  });

  it("leave the first where it is and go to the nearest place beside it", () => {
    const [first, ...others] = [at(50, 50), at(50, 50), at(52, 50)];
    expect(spread([first, ...others])).toEqual([first, at(69, 50), at(52, 31)]);
  });

  it("go to no place above the picture", () => {
    expect(spread([at(50, 2), at(50, 2), at(52, 2)])[2]).toEqual(at(52, 21));
  });

  it("are apart whatever their widths, eight of them in one spot", () => {
    const wanted = Array.from({ length: 8 }, (_, n) => at(100 + n, 60, n % 2 ? 24 : 16));
    const placed = spread(wanted);
    expect(overlaps(placed)).toEqual([]);
    for (const [n, { x, y }] of placed.entries()) {
      expect(Math.hypot(x - wanted[n].x, y - wanted[n].y)).toBeLessThan(60);
    }
  });
});
