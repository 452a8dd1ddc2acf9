/**
 * A chart as shapes, which a canvas and an SVG file draw alike. Pure.
 */

import type { Theme } from "../ui/theme";
import type { Line } from "./lines";
import { INK, lineColor, lineDash, marker } from "./look";
import { linear, logarithmic, qualityDomain, type Scale, timeDomain } from "./scales";

export interface Path {
  kind: "path";
  /** Pixels, x and y in turn. */
  points: readonly number[];
  color: string;
  /** Of the stroke; without it the inside is filled instead. */
  width?: number;
  dash?: readonly number[];
  /** 0 to 1. */
  opacity?: number;
}

export interface Label {
  kind: "text";
  x: number;
  y: number;
  text: string;
  size: number;
  color: string;
  align: "start" | "middle" | "end";
}

export type Shape = Path | Label;

export interface Chart {
  unit: "hours" | "seconds";
  /** Those that are shown. */
  lines: readonly Line[];
  target: number | null;
  logarithmic: boolean;
}

/** Where the lines are drawn: the scales, and the space around them. */
export interface Frame {
  width: number;
  height: number;
  left: number;
  right: number;
  top: number;
  bottom: number;
  x: Scale;
  y: Scale;
  size: number;
}

const AXIS_NAME = { hours: "annotator's hours, all objects", seconds: "annotator's seconds" };

/** Width of a letter as part of its size, at most, on average over a number. */
const LETTER = 0.6;

/** Space and scales of a chart; a small one has small letters and names no axis. */
export function frameOf(chart: Chart, width: number, height: number): Frame {
  const small = width < 260 || height < 180;
  const size = small ? 9.5 : 11;
  const [left, right] = [small ? 28 : 38, width - (small ? 8 : 14)];
  const [top, bottom] = [small ? 6 : 24, height - (small ? 16 : 38)];
  const time = timeDomain(chart.lines, chart.logarithmic);
  const scale = chart.logarithmic ? logarithmic : linear;
  return {
    ...{ width, height, left, right, top, bottom, size },
    x: scale(time, [left, right], Math.max(2, Math.floor((right - left) / 70))),
    y: linear(
      qualityDomain(chart.lines, chart.target),
      [bottom, top],
      Math.max(2, Math.floor((bottom - top) / 36)),
    ),
  };
}

export function chartShapes(chart: Chart, frame: Frame, theme: Theme): Shape[] {
  const { left, right, bottom } = frame;
  return [
    ...axes(chart, frame, theme),
    ...chart.lines.flatMap((line) => band(line, frame, theme)),
    ...(chart.target === null
      ? []
      : [
          stroke([left, frame.y.pixel(chart.target), right, frame.y.pixel(chart.target)], {
            color: INK[theme].text,
            width: 1.2,
            dash: [1.5, 3],
          }),
        ]),
    ...chart.lines.flatMap((line) => lineShapes(line, frame, theme)),
    stroke([left, bottom, right, bottom], { color: INK[theme].soft, width: 1 }),
  ];
}

function axes(chart: Chart, { x, y, ...frame }: Frame, theme: Theme): Shape[] {
  const { text, soft, grid } = INK[theme];
  const { left, right, top, bottom, size, width } = frame;
  const label = (more: Omit<Label, "kind" | "size" | "color">): Label => ({
    ...{ kind: "text", size, color: soft },
    ...more,
  });
  const shapes: Shape[] = [];
  const under = bottom + size + 4;
  for (const tick of y.ticks) {
    const at = y.pixel(tick);
    shapes.push(stroke([left, at, right, at], { color: grid, width: 1 }));
    shapes.push(label({ x: left - 6, y: at + size / 3, text: tick.toFixed(2), align: "end" }));
  }
  const named = top > 2 * size;
  for (const tick of x.ticks) {
    const at = x.pixel(tick);
    const words = named ? String(tick) : `${tick} ${chart.unit[0]}`;
    shapes.push(stroke([at, bottom, at, bottom + 4], { color: soft, width: 1 }));
    // The last one may be at the very end, where half of it would be out of the chart.
    const over = at + LETTER * size * words.length * 0.5 > width;
    const place = over
      ? { x: width - 1, align: "end" as const }
      : { x: at, align: "middle" as const };
    shapes.push(label({ ...place, y: under, text: words }));
  }
  if (named) {
    const name = AXIS_NAME[chart.unit] + (chart.logarithmic ? " (logarithmic)" : "");
    shapes.push({ ...label({ x: 4, y: size + 1, text: "J&F", align: "start" }), color: text });
    const middle = (left + right) / 2;
    shapes.push({
      ...label({ x: middle, y: under + size + 6, text: name, align: "middle" }),
      color: text,
    });
  }
  return shapes;
}

/** Which points of a line have a place on the axis: 0 has none on a logarithmic one. */
function placed(line: Line, { x }: Frame): number[] {
  const all = Array.from(line.x, (_, i) => i);
  return all.filter((i) => Number.isFinite(x.pixel(line.x[i])));
}

function band(line: Line, frame: Frame, theme: Theme): Shape[] {
  const { x, y } = frame;
  const points: number[] = [];
  const within = placed(line, frame).filter((i) => line.high[i] >= line.low[i]);
  for (const i of within) points.push(x.pixel(line.x[i]), y.pixel(line.high[i]));
  for (const i of within.reverse()) points.push(x.pixel(line.x[i]), y.pixel(line.low[i]));
  if (points.length === 0) return [];
  return [{ kind: "path", points, color: lineColor(line.look, theme), opacity: 0.1 }];
}

/** Of a long line, so many points carry its marker; of a short one, all. */
const MARKED = 7;
const SHORT = 25;

function lineShapes(line: Line, frame: Frame, theme: Theme): Shape[] {
  const { x, y } = frame;
  const color = lineColor(line.look, theme);
  const points = placed(line, frame).flatMap((i) => [x.pixel(line.x[i]), y.pixel(line.y[i])]);
  const n = points.length / 2;
  const shapes: Shape[] = [stroke(points, { color, width: 1.8, dash: lineDash(line.look) })];
  const step = n <= SHORT ? 1 : Math.floor(n / MARKED);
  // Lines that run together carry their markers in different places.
  for (let i = step === 1 ? 0 : (line.look * 5) % step; i < n; i += step) {
    const corners = marker(line.look, points[2 * i], points[2 * i + 1], 3.4);
    shapes.push({ kind: "path", points: corners, color });
  }
  return shapes;
}

const stroke = (points: readonly number[], how: Omit<Path, "kind" | "points">): Path => ({
  kind: "path",
  points,
  ...how,
});

/** How a line looks, for the legend. */
export function sample(look: number, theme: Theme, y = 6): Shape[] {
  const color = lineColor(look, theme);
  return [
    stroke([0, y, 30, y], { color, width: 2, dash: lineDash(look) }),
    { kind: "path", points: marker(look, 15, y, 4), color },
  ];
}

const PICTURE = { width: 760, height: 440, row: 18, margin: 12 };

/** The chart with a legend and a note under it, for a file: black on white. */
export function withLegend(chart: Chart, note: string, remark: (line: Line) => string) {
  const { width, height, row, margin } = PICTURE;
  const { text, soft } = INK.light;
  const words = (x: number, y: number, what: string, color: string): Label => ({
    ...{ kind: "text", x, y, text: what, color, size: 11, align: "start" },
  });
  const columns = chart.lines.length > 6 ? 2 : 1;
  const rows = Math.ceil(chart.lines.length / columns);
  const shapes = chartShapes(chart, frameOf(chart, width, height), "light");
  chart.lines.forEach((line, i) => {
    const x = 38 + Math.floor(i / rows) * (width / 2 - 20);
    const y = height + margin + (i % rows) * row;
    for (const shape of sample(line.look, "light", y - 4)) shapes.push(moved(shape, x));
    shapes.push(words(x + 40, y, `${line.name}${remark(line)}`, text));
  });
  const end = height + margin + rows * row;
  shapes.push(words(38, end + 4, note, soft));
  return { width, height: end + margin + 6, shapes };
}

function moved(shape: Shape, x: number): Shape {
  if (shape.kind === "text") return { ...shape, x: shape.x + x };
  return { ...shape, points: shape.points.map((value, i) => (i % 2 ? value : value + x)) };
}
