import { describe, expect, it } from "vitest";
import { Pinch } from "../../src/video/pinch";

describe("two fingers", () => {
  it("zoom by how far they are apart, about their middle", () => {
    const pinch = new Pinch();
    pinch.down(1, { x: 100, y: 100 });
    expect(pinch.active).toBe(false);
    expect(pinch.move(1, { x: 90, y: 100 })).toBeNull();
    pinch.down(2, { x: 190, y: 100 });
    expect(pinch.active).toBe(true);
    expect(pinch.move(2, { x: 290, y: 100 })).toEqual({
      dx: 50,
      dy: 0,
      factor: 2,
      at: { x: 190, y: 100 },
    });
  });

  it("keep the picture until both are up, so that the last one draws nothing", () => {
    const pinch = new Pinch();
    pinch.down(1, { x: 0, y: 0 });
    pinch.down(2, { x: 10, y: 0 });
    pinch.up(1);
    expect(pinch.active).toBe(true);
    expect(pinch.move(2, { x: 20, y: 0 })).toBeNull();
    pinch.up(2);
    expect(pinch.active).toBe(false);
  });

  it("are not disturbed by a third, and never divide by nothing", () => {
    const pinch = new Pinch();
    pinch.down(1, { x: 5, y: 5 });
    pinch.down(2, { x: 5, y: 5 });
    pinch.down(3, { x: 400, y: 5 });
    expect(pinch.move(3, { x: 500, y: 5 })).toBeNull();
    expect(pinch.move(1, { x: 5, y: 8 })?.factor).toBe(3);
  });
});
