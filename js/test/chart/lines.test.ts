import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Line, nearestX, nextX, tableTimes, timeTo, valueAt } from "../../src/chart/lines";

const line = (points: [number, number][], name = "a"): Line => ({
  name,
  look: 0,
  x: points.map(([x]) => x),
  y: points.map(([, y]) => y),
  low: points.map(([, y]) => y - 0.1),
  high: points.map(([, y]) => y + 0.1),
});

/** Lines of some points, at ascending times. */
const someLine = fc
  .array(
    fc.tuple(
      fc.double({ min: 0.01, max: 9, noNaN: true }),
      fc.double({ min: 0, max: 1, noNaN: true }),
    ),
    {
      minLength: 1,
      maxLength: 30,
    },
  )
  .map((steps) => {
    let x = 0;
    return line(
      steps.map(([step, y]) => {
        x += step;
        return [x, y];
      }),
    );
  });
const time = fc.double({ min: -1, max: 300, noNaN: true });
const all = (lines: readonly Line[]) => lines.flatMap((each) => Array.from(each.x));

describe("a value on a line", () => {
  it("is that of a point, or straight between two", () => {
    const rising = line([
      [1, 0.5],
      [3, 0.7],
    ]);
    expect(valueAt(rising, 1)).toBe(0.5);
    expect(valueAt(rising, 2)).toBeCloseTo(0.6);
    expect(valueAt(rising, 2, "low")).toBeCloseTo(0.5);
    expect(valueAt(rising, 3)).toBe(0.7);
  });

  it("is not told where there is no line", () => {
    expect(
      valueAt(
        line([
          [1, 0.5],
          [3, 0.7],
        ]),
        0.9,
      ),
    ).toBeNull();
    expect(
      valueAt(
        line([
          [1, 0.5],
          [3, 0.7],
        ]),
        3.1,
      ),
    ).toBeNull();
    expect(valueAt(line([]), 1)).toBeNull();
  });
});

describe("the cursor", () => {
  it("stands at the nearest point of all lines", () => {
    fc.assert(
      fc.property(fc.array(someLine, { minLength: 1, maxLength: 4 }), time, (lines, x) => {
        const found = nearestX(lines, x) as number;
        expect(all(lines)).toContain(found);
        const least = Math.min(...all(lines).map((each) => Math.abs(each - x)));
        expect(Math.abs(found - x)).toBe(least);
      }),
    );
    expect(nearestX([], 1)).toBeNull();
  });

  it("goes from point to point in both directions until the end", () => {
    fc.assert(
      fc.property(fc.array(someLine, { minLength: 1, maxLength: 4 }), (lines) => {
        const stops = [...new Set(all(lines))].sort((a, b) => a - b);
        for (const direction of [1, -1] as const) {
          const visited: number[] = [];
          let at: number | null = direction === 1 ? stops[0] : stops[stops.length - 1];
          while (at !== null) {
            visited.push(at);
            at = nextX(lines, at, direction);
          }
          expect(direction === 1 ? visited : visited.reverse()).toEqual(stops);
        }
      }),
    );
  });
});

describe("the time to a quality", () => {
  it("is where the line first gets there", () => {
    const up = line([
      [1, 0.5],
      [2, 0.7],
      [3, 0.6],
      [4, 0.9],
    ]);
    expect(timeTo(up, 0.6)).toBeCloseTo(1.5);
    expect(timeTo(up, 0.8)).toBeCloseTo(3 + 2 / 3);
    expect(timeTo(up, 0.2)).toBe(1);
    expect(timeTo(up, 0.95)).toBeNull();
  });

  it("is a place on the line with that quality, and none is before it", () => {
    fc.assert(
      fc.property(someLine, fc.double({ min: 0, max: 1, noNaN: true }), (each, target) => {
        const when = timeTo(each, target);
        const before = Array.from(each.x).filter((x) => when === null || x < when);
        for (const x of before) expect(valueAt(each, x)).toBeLessThan(target);
        if (when === null || when === each.x[0]) return;
        expect(valueAt(each, when)).toBeCloseTo(target, 6);
      }),
    );
  });
});

describe("the times of the table", () => {
  it("are those of the points, or a few from the first to the last", () => {
    expect(
      tableTimes([
        line([
          [1, 0],
          [2, 0],
        ]),
        line([
          [2, 0],
          [5, 0],
        ]),
      ]),
    ).toEqual([1, 2, 5]);
    const long = line(Array.from({ length: 200 }, (_, i) => [i, 0.5]));
    expect(tableTimes([long])).toHaveLength(11);
    expect(tableTimes([long]).at(-1)).toBe(199);
    expect(tableTimes([])).toEqual([]);
  });
});
