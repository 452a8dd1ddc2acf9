import { describe, expect, it } from "vitest";
import { csvText } from "../../src/chart/csv";
import type { Line } from "../../src/chart/lines";
import { lineColor, lineDash, marker } from "../../src/chart/look";
import { type Chart, chartShapes, frameOf, type Path, withLegend } from "../../src/chart/picture";
import { svgText } from "../../src/chart/svg";

const line = (name: string, look: number, y: number[], band = 0.05): Line => ({
  ...{ name, look, y },
  x: y.map((_, i) => i + 1),
  low: y.map((v) => v - band),
  high: y.map((v) => v + band),
});

const chart = (lines: Line[], target: number | null = 0.85): Chart => ({
  ...{ unit: "hours", lines, target, logarithmic: false },
});

describe("a chart", () => {
  it("draws a stroke and a band for each line, inside its frame", () => {
    const shown = chart([line("a", 0, [0.5, 0.7, 0.9]), line("b", 3, [0.6, 0.7], Number.NaN)]);
    const frame = frameOf(shown, 600, 300);
    const paths = chartShapes(shown, frame, "light").filter((shape) => shape.kind === "path");
    const of = (look: number) => paths.filter((path) => path.color === lineColor(look, "light"));
    const bands = (some: Path[]) => some.filter((path) => path.opacity !== undefined);
    expect(bands(of(0))).toHaveLength(1);
    expect(bands(of(3))).toHaveLength(0);
    const [stroke] = of(3).filter((path) => path.width !== undefined);
    expect(stroke.dash).toEqual(lineDash(3));
    expect(stroke.points).toHaveLength(4);
    for (const path of [...of(0), ...of(3)]) {
      path.points.forEach((value, i) => {
        const [from, to] = i % 2 ? [frame.top, frame.bottom] : [frame.left, frame.right];
        expect(value).toBeGreaterThanOrEqual(from - 4);
        expect(value).toBeLessThanOrEqual(to + 4);
      });
    }
  });

  it("leaves out what has no place on a logarithmic axis, and draws the rest", () => {
    const begun = { ...line("a", 0, [0.5, 0.7, 0.9]), x: [0, 10, 90] };
    const shown = { ...chart([begun]), logarithmic: true };
    const paths = chartShapes(shown, frameOf(shown, 600, 300), "light").filter(
      (shape) => shape.kind === "path",
    );
    const [stroke] = paths.filter((path) => path.width === 1.8);
    expect(stroke.points).toHaveLength(4);
    const [band] = paths.filter((path) => path.opacity === 0.1);
    expect(band.points).toHaveLength(8);
    for (const path of paths) expect(path.points.every(Number.isFinite)).toBe(true);
  });

  it("tells twenty lines apart without colours", () => {
    const looks = Array.from({ length: 20 }, (_, k) =>
      JSON.stringify([lineDash(k), marker(k, 0, 0, 1)]),
    );
    expect(new Set(looks).size).toBe(20);
  });

  it("names its axes only where there is room for them, in either direction", () => {
    const shown = chart([line("a", 0, [0.5, 0.9])]);
    const words = (width: number, height: number) =>
      chartShapes(shown, frameOf(shown, width, height), "light").flatMap((shape) =>
        shape.kind === "text" ? [shape.text] : [],
      );
    expect(words(300, 220)).toContain("J&F");
    expect(words(500, 110)).not.toContain("J&F");
    expect(words(240, 220)).not.toContain("J&F");
  });

  it("cuts no number under the axis, wherever the last one is", () => {
    for (let end = 1; end < 40; end += 0.25) {
      const drawn = { ...line("a", 0, [0.5, 0.9]), x: [0, end] };
      const frame = frameOf(chart([drawn]), 240, 110);
      for (const shape of chartShapes(chart([drawn]), frame, "light")) {
        if (shape.kind !== "text" || shape.y < frame.bottom) continue;
        const half = 0.3 * shape.size * shape.text.length;
        const right = shape.align === "middle" ? shape.x + half : shape.x;
        expect(right).toBeLessThanOrEqual(240);
      }
    }
  });

  it("has no target line where there is no target", () => {
    const count = (target: number | null) => {
      const shown = chart([line("a", 0, [0.5, 0.9])], target);
      return chartShapes(shown, frameOf(shown, 600, 300), "light").length;
    };
    expect(count(0.7)).toBe(count(null) + 1);
  });
});

describe("a file", () => {
  it("is an SVG that names its lines, whatever they are called", () => {
    const shown = chart([line("<b> & c", 0, [0.5, 0.9])]);
    const { shapes, width, height } = withLegend(shown, "a note", () => ": 1.5 h");
    const text = svgText(shapes, width, height, "#fff");
    expect(text).toMatch(/^<svg xmlns="http:\/\/www.w3.org\/2000\/svg" width="760"/);
    expect(text).toContain("&lt;b&gt; &amp; c: 1.5 h</text>");
    expect(text).toContain("a note</text>");
    expect(text).not.toContain("NaN");
  });

  it("is a CSV with a row for each point, and nothing where nothing is known", () => {
    const named = line('say "a", b', 0, [0.5, 1 / 3], Number.NaN);
    expect(csvText("seconds", [named, line("c", 1, [0.75], 0.25)])).toBe(
      [
        "line,seconds,jf,low,high",
        '"say ""a"", b",1,0.5,,',
        '"say ""a"", b",2,0.333333,,',
        "c,1,0.75,0.5,1",
        "",
      ].join("\n"),
    );
  });
});
