import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { secondsTo } from "../../src/annotator/panels/forecast";

const line = (...points: [number, number][]) =>
  points.map(([seconds, quality]) => ({ seconds, quality }));

describe("the way to a target", () => {
  it("goes on along a straight line", () => {
    expect(secondsTo(0.8, line([10, 0.5], [20, 0.6], [30, 0.7]))).toBeCloseTo(10);
  });

  it("is over when the target is reached", () => {
    expect(secondsTo(0.7, line([10, 0.7]))).toBe("reached");
  });

  it("is not told where it cannot be known", () => {
    expect(secondsTo(0.9, [])).toBeNull();
    expect(secondsTo(0.9, line([10, 0.5], [20, 0.6]))).toBeNull();
    expect(secondsTo(0.9, line([10, 0.6], [20, 0.6], [30, 0.6]))).toBeNull();
    expect(secondsTo(0.9, line([10, 0.7], [20, 0.6], [30, 0.5]))).toBeNull();
    expect(secondsTo(0.99, line([10, 0.5], [20, 0.501], [30, 0.502]))).toBeNull();
  });

  it("is a finite time or nothing, and never less for a higher target", () => {
    const point = fc.record({
      seconds: fc.double({ min: 0.1, max: 60, noNaN: true }),
      quality: fc.double({ min: 0, max: 1, noNaN: true }),
    });
    const unit = fc.double({ min: 0, max: 1, noNaN: true });
    fc.assert(
      fc.property(fc.array(point, { maxLength: 8 }), unit, unit, (steps, a, b) => {
        let seconds = 0;
        const curve = steps.map((step) => {
          seconds += step.seconds;
          return { seconds, quality: step.quality };
        });
        const [near, far] = [Math.min(a, b), Math.max(a, b)].map((t) => secondsTo(t, curve));
        for (const answer of [near, far]) {
          if (typeof answer === "number") expect(answer).toBeGreaterThan(0);
        }
        if (typeof near === "number" && typeof far === "number") {
          expect(far).toBeGreaterThanOrEqual(near);
        }
      }),
    );
  });
});
