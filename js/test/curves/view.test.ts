import { describe, expect, it } from "vitest";
import { unpack } from "../../src/curves/traits";
import { howFar, reached, reading } from "../../src/curves/words";

function packed(rows: number[][], offset = 3): DataView {
  const data = new Uint8Array(new Float32Array(rows.flat()).buffer);
  const larger = new Uint8Array(data.byteLength + 8);
  larger.set(data, offset);
  return new DataView(larger.buffer, offset, data.byteLength);
}

const rows = [
  [1, 0.5, 0.25, 0.75],
  [2, 0.75, 0.5, 1],
];

describe("lines from the kernel", () => {
  it("are unpacked wherever they lie in a buffer, and look as their place in the list says", () => {
    const bare = [[4, 0.5, Number.NaN, Number.NaN]];
    const [a, b] = unpack([
      { name: "a", points: packed(rows) },
      { name: "b", points: packed(bare, 0) },
    ]);
    expect([a.x, a.y, a.low, a.high].map((column) => Array.from(column))).toEqual([
      [1, 2],
      [0.5, 0.75],
      [0.25, 0.5],
      [0.75, 1],
    ]);
    expect([a.look, b.look]).toEqual([0, 1]);
    expect(reading(a, 1)).toBe("0.500 (0.250–0.750)");
    expect(reading(b, 4)).toBe("0.500");
    expect(reading(b, 5)).toBe("–");
    expect(reached(a, 0.625, "hours")).toBe("1.5 h");
    expect(reached(a, 0.9, "hours")).toBe("not reached");
    expect(reached(a, 0.625, "seconds")).toBe("1.5 s");
  });
});

describe("how far a run is", () => {
  const progress = {
    phase: "running",
    done: 3,
    total: 9,
    seconds_left: null,
    message: "",
  } as const;

  it("is told in words", () => {
    expect(howFar({ ...progress, total: 0 })).toBe("Starting …");
    expect(howFar(progress)).toBe("3 of 9 loops");
    expect(howFar({ ...progress, seconds_left: 40.3 })).toBe("3 of 9 loops, about 40 s left");
    expect(howFar({ ...progress, seconds_left: 400 })).toBe("3 of 9 loops, about 7 min left");
    expect(howFar({ ...progress, phase: "failed", message: "no masks." })).toBe("no masks.");
  });
});
