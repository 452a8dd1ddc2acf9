import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Line } from "../../src/chart/lines";
import { linear, logarithmic, qualityDomain, timeDomain } from "../../src/chart/scales";

const line = (x: number[], y: number[], band = Number.NaN): Line => ({
  ...{ name: "a", look: 0, x, y },
  low: y.map((v) => v - band),
  high: y.map((v) => v + band),
});
const positive = fc.double({ min: 1e-3, max: 1e3, noNaN: true });

describe("a scale", () => {
  it("names round values", () => {
    expect(linear([0, 2.1], [0, 400], 5).ticks).toEqual([0, 0.5, 1, 1.5, 2]);
    expect(linear([0.55, 0.95], [300, 0], 8).ticks.at(-1)).toBe(0.95);
    expect(logarithmic([0.3, 20], [0, 400], 6).ticks).toEqual([0.5, 1, 2, 5, 10, 20]);
  });

  for (const scale of [linear, logarithmic]) {
    it(`goes there and back, and its ticks are inside and few (${scale.name})`, () => {
      fc.assert(
        fc.property(positive, positive, fc.integer({ min: 2, max: 12 }), (a, width, most) => {
          const domain = [a, a + width] as const;
          const s = scale(domain, [40, 600], most);
          expect(s.pixel(domain[0])).toBeCloseTo(40, 4);
          expect(s.pixel(domain[1])).toBeCloseTo(600, 4);
          expect(s.value(s.pixel(a + width / 3)) / (a + width / 3)).toBeCloseTo(1, 6);
          expect(s.ticks.length).toBeLessThanOrEqual(most + 1);
          for (const tick of s.ticks) {
            expect(s.pixel(tick)).toBeGreaterThan(39);
            expect(s.pixel(tick)).toBeLessThan(601);
          }
        }),
      );
    });
  }
});

describe("what the axes show", () => {
  it("is the time from 0, or from the first point where 0 has no place", () => {
    const lines = [line([0.3, 2], [0.5, 0.6]), line([0.2, 1], [0.5, 0.6])];
    expect(timeDomain(lines, false)).toEqual([0, 2]);
    expect(timeDomain(lines, true)).toEqual([0.2, 2]);
    expect(timeDomain([line([4], [0.5])], true)).toEqual([2, 8]);
    expect(timeDomain([], true)).toEqual([0.1, 1]);
  });

  it("is every line with its band, and the target", () => {
    expect(qualityDomain([line([1, 2], [0.62, 0.78])], null)).toEqual([0.6, 0.8]);
    expect(qualityDomain([line([1, 2], [0.62, 0.78], 0.1)], null)).toEqual([0.5, 0.9]);
    expect(qualityDomain([line([1, 2], [0.62, 0.78])], 0.95)).toEqual([0.6, 1]);
    expect(qualityDomain([], null)).toEqual([0, 1]);
  });
});
