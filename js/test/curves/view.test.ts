import { describe, expect, it, vi } from "vitest";
import { Layout } from "../../src/curves/layout";
import { type CurvesTraits, unpack } from "../../src/curves/traits";
import { View } from "../../src/curves/view";
import { howFar, reached, reading } from "../../src/curves/words";
import { hostOf, root, words } from "../host";

vi.mock("../../src/ui/theme", () => ({ rootTheme: () => ({ value: "light" }) }));

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

const progress = {
  phase: "running",
  done: 3,
  total: 9,
  seconds_left: null,
  message: "",
} as const;

describe("a run whose kernel is no more", () => {
  it("is said to be so", async () => {
    vi.useFakeTimers();
    const drawing: CurvesTraits["drawing"] = { unit: "hours", note: "", lines: [] };
    const host = hostOf<Partial<CurvesTraits>>({ drawing, progress });
    const view = new View(host.model as never, root(), "view");
    view.start();
    host.cut = true;
    await vi.advanceTimersByTimeAsync(5000);
    expect(words(Layout({ view }))).toContain("The kernel is no more");
    view.close();
    vi.useRealTimers();
  });
});

describe("how far a run is", () => {
  it("is told in words", () => {
    expect(howFar({ ...progress, total: 0 })).toBe("Starting …");
    expect(howFar(progress)).toBe("3 of 9 loops");
    expect(howFar({ ...progress, seconds_left: 40.3 })).toBe("3 of 9 loops, about 40 s left");
    expect(howFar({ ...progress, seconds_left: 400 })).toBe("3 of 9 loops, about 7 min left");
    expect(howFar({ ...progress, phase: "failed", message: "no masks." })).toBe("no masks.");
  });
});
