/** Draws what lies over picture and masks: clicks, boxes, objects' numbers, the brush's edge. */

import type { Point } from "./brush";
import type { Click, ObjectInfo } from "./protocol";
import { toScreen, type View } from "./view-transform";

export interface Marks {
  /** Objects whose number is shown beside their mask. */
  tags: readonly ObjectInfo[];
  anchors: ReadonlyMap<number, Point>;
  clicks: readonly Click[];
  box: { from: Point; to: Point } | null;
  /** The latest prompt has no answer yet. */
  waiting: boolean;
  cursor: { at: Point; diameter: number; tool: string } | null;
}

const WHITE = "#ffffff";
const SHADE = "rgba(0, 0, 0, 0.65)";
const POSITIVE = "#009e73";
const NEGATIVE = "#d55e00";
const CLICK_RADIUS = 7;
const TAG_HEIGHT = 16;

export function drawMarks(context: CanvasRenderingContext2D, view: View, marks: Marks): void {
  for (const object of marks.tags) {
    const anchor = marks.anchors.get(object.id);
    if (anchor) drawTag(context, toScreen(view, anchor), object);
  }
  if (marks.box) drawBox(context, toScreen(view, marks.box.from), toScreen(view, marks.box.to));
  marks.clicks.forEach(([x, y, positive], index) => {
    const last = index === marks.clicks.length - 1;
    drawClick(context, toScreen(view, { x, y }), positive === 1, last && marks.waiting);
  });
  if (marks.cursor) drawCursor(context, marks.cursor.at, marks.cursor.diameter, marks.cursor.tool);
}

function drawTag(context: CanvasRenderingContext2D, at: Point, { id, color }: ObjectInfo): void {
  const text = String(id);
  context.font = "600 11px system-ui, sans-serif";
  context.textAlign = "center";
  context.textBaseline = "middle";
  const width = Math.max(TAG_HEIGHT, context.measureText(text).width + 8);
  const x = at.x - width / 2;
  const y = Math.max(2, at.y - TAG_HEIGHT - 4);
  context.beginPath();
  context.roundRect(x, y, width, TAG_HEIGHT, 4);
  context.fillStyle = "rgba(18, 20, 23, 0.82)";
  context.fill();
  context.lineWidth = 1.5;
  context.strokeStyle = color;
  context.stroke();
  context.fillStyle = WHITE;
  context.fillText(text, at.x, y + TAG_HEIGHT / 2 + 0.5);
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
