/**
 * Draws what lies over picture and masks: clicks, scribbles, boxes, polygons, objects' numbers,
 * the brush's edge and the crosshair.
 */

import type { Point, Size } from "../../masks/geometry";
import { toScreen, type View } from "../../video/view-transform";
import type { Click, ObjectInfo, Scribble } from "../messages";
import { PAINTED, type Path } from "./layers";
import { spread } from "./spread";

export interface Marks {
  /** Objects whose number is shown beside their mask. */
  tags: readonly ObjectInfo[];
  anchors: ReadonlyMap<number, Point>;
  clicks: readonly Click[];
  scribbles: readonly Scribble[];
  box: { from: Point; to: Point } | null;
  /** The outline that is not closed yet. */
  path: Path | null;
  /** Closed polygons whose vertices can be moved. */
  polygons: readonly Path[];
  /** Where the next vertex would be, on the screen. */
  towards: Point | null;
  /** The latest prompt has no answer yet. */
  waiting: boolean;
  cursor: { at: Point; diameter: number; tool: string } | null;
  crosshair: Point | null;
  size: Size;
}

const WHITE = "#ffffff";
const SHADE = "rgba(0, 0, 0, 0.65)";
const POSITIVE = "#009e73";
const NEGATIVE = "#d55e00";
const CLICK_RADIUS = 7;
const TAG_HEIGHT = 16;
/** CSS pixels around the crosshair's middle that stay free. */
const GAP = 7;

export function drawMarks(context: CanvasRenderingContext2D, view: View, marks: Marks): void {
  drawTags(context, view, marks);
  for (const scribble of marks.scribbles) drawScribble(context, view, scribble);
  for (const polygon of marks.polygons) drawOutline(context, view, polygon, true, null);
  if (marks.path) drawOutline(context, view, marks.path, false, marks.towards);
  if (marks.box) drawBox(context, toScreen(view, marks.box.from), toScreen(view, marks.box.to));
  marks.clicks.forEach(([x, y, positive], index) => {
    const last = index === marks.clicks.length - 1;
    drawClick(context, toScreen(view, { x, y }), positive === 1, last && marks.waiting);
  });
  if (marks.cursor) drawCursor(context, marks.cursor.at, marks.cursor.diameter, marks.cursor.tool);
  if (marks.crosshair) drawCrosshair(context, marks.crosshair, marks.size);
}

/** Solid where it marks the object, broken where it marks what is not the object. */
function drawScribble(
  context: CanvasRenderingContext2D,
  view: View,
  { points, positive }: Scribble,
): void {
  const line = points.map(([x, y]) => toScreen(view, { x, y }));
  if (line.length === 1) line.push({ x: line[0].x + 0.1, y: line[0].y });
  context.lineCap = "round";
  context.lineJoin = "round";
  for (const [width, color] of [
    [7, WHITE],
    [4, positive ? POSITIVE : NEGATIVE],
  ] as const) {
    tracePath(context, line, false);
    context.lineWidth = width;
    context.strokeStyle = color;
    if (!positive && color !== WHITE) context.setLineDash([1, 7]);
    context.stroke();
    context.setLineDash([]);
  }
  context.lineCap = "butt";
}

/** Round vertices; the first, which closes the outline, is larger. Broken lines erase. */
function drawOutline(
  context: CanvasRenderingContext2D,
  view: View,
  { vertices, value }: Path,
  closed: boolean,
  towards: Point | null,
): void {
  const corners = vertices.map((vertex) => toScreen(view, vertex));
  for (const [width, color] of [
    [3.5, SHADE],
    [1.5, WHITE],
  ] as const) {
    tracePath(context, closed || !towards ? corners : [...corners, towards], closed);
    context.lineWidth = width;
    context.strokeStyle = color;
    if (value !== PAINTED && color === WHITE) context.setLineDash([5, 4]);
    context.stroke();
    context.setLineDash([]);
  }
  corners.forEach(({ x, y }, index) => {
    context.beginPath();
    context.arc(x, y, !closed && index === 0 ? 6 : 4, 0, 2 * Math.PI);
    context.fillStyle = WHITE;
    context.fill();
    context.lineWidth = 1.5;
    context.strokeStyle = value === PAINTED ? POSITIVE : NEGATIVE;
    context.stroke();
  });
}

function tracePath(
  context: CanvasRenderingContext2D,
  points: readonly Point[],
  closed: boolean,
): void {
  context.beginPath();
  points.forEach(({ x, y }, index) => {
    if (index === 0) context.moveTo(x, y);
    else context.lineTo(x, y);
  });
  if (closed) context.closePath();
}

/** Lines across the whole picture that leave the pixel itself free. */
function drawCrosshair(context: CanvasRenderingContext2D, { x, y }: Point, size: Size): void {
  for (const [width, color] of [
    [3.5, SHADE],
    [1.25, WHITE],
  ] as const) {
    context.beginPath();
    for (const [from, to] of [
      [0, x - GAP],
      [x + GAP, size.width],
    ]) {
      context.moveTo(from, y);
      context.lineTo(Math.max(from, to), y);
    }
    for (const [from, to] of [
      [0, y - GAP],
      [y + GAP, size.height],
    ]) {
      context.moveTo(x, from);
      context.lineTo(x, Math.max(from, to));
    }
    context.lineWidth = width;
    context.strokeStyle = color;
    context.stroke();
  }
}

function drawTags(context: CanvasRenderingContext2D, view: View, marks: Marks): void {
  context.font = "600 11px system-ui, sans-serif";
  context.textAlign = "center";
  context.textBaseline = "middle";
  const shown = marks.tags.filter(({ id }) => marks.anchors.has(id));
  const places = shown.map(({ id }) => {
    const { x, y } = toScreen(view, marks.anchors.get(id) as Point);
    const width = Math.max(TAG_HEIGHT, context.measureText(String(id)).width + 8);
    return { x: x - width / 2, y: Math.max(2, y - TAG_HEIGHT - 4), width, height: TAG_HEIGHT };
  });
  spread(places).forEach(({ x, y, width, height }, index) => {
    const { id, color } = shown[index];
    context.beginPath();
    context.roundRect(x, y, width, height, 4);
    context.fillStyle = "rgba(18, 20, 23, 0.82)";
    context.fill();
    context.lineWidth = 1.5;
    context.strokeStyle = color;
    context.stroke();
    context.fillStyle = WHITE;
    context.fillText(String(id), x + width / 2, y + height / 2 + 0.5);
  });
}

function drawBox(context: CanvasRenderingContext2D, a: Point, b: Point): void {
  const rect = [a.x, a.y, b.x - a.x, b.y - a.y] as const;
  context.lineWidth = 3;
  context.strokeStyle = SHADE;
  context.strokeRect(...rect);
  context.lineWidth = 1.5;
  context.strokeStyle = WHITE;
  context.setLineDash([5, 4]);
  context.strokeRect(...rect);
  context.setLineDash([]);
}

function drawClick(
  context: CanvasRenderingContext2D,
  { x, y }: Point,
  positive: boolean,
  waiting: boolean,
): void {
  context.beginPath();
  context.arc(x, y, CLICK_RADIUS, 0, 2 * Math.PI);
  context.fillStyle = positive ? POSITIVE : NEGATIVE;
  context.globalAlpha = waiting ? 0.55 : 1;
  context.fill();
  context.globalAlpha = 1;
  context.lineWidth = 1.5;
  context.strokeStyle = WHITE;
  if (waiting) context.setLineDash([3, 3]);
  context.stroke();
  context.setLineDash([]);
  context.beginPath();
  context.moveTo(x - 3.5, y);
  context.lineTo(x + 3.5, y);
  if (positive) {
    context.moveTo(x, y - 3.5);
    context.lineTo(x, y + 3.5);
  }
  context.stroke();
}

function drawCursor(
  context: CanvasRenderingContext2D,
  { x, y }: Point,
  diameter: number,
  tool: string,
): void {
  const radius = Math.max(diameter / 2, 1.5);
  for (const [width, color] of [
    [3, SHADE],
    [1.25, WHITE],
  ] as const) {
    context.beginPath();
    context.arc(x, y, radius, 0, 2 * Math.PI);
    context.lineWidth = width;
    context.strokeStyle = color;
    if (tool === "eraser" && color === WHITE) context.setLineDash([4, 3]);
    context.stroke();
    context.setLineDash([]);
  }
}
