/** Says which pixel is meant, without hiding any of it: a frame around it, and arms that point. */

import type { Point } from "../masks/geometry";
import { toScreen, type View } from "./view-transform";

const WHITE = "#ffffff";
const SHADE = "rgba(0, 0, 0, 0.75)";
/** CSS pixels from the pixel's edge to the middle of the frame's line. */
const CLEARANCE = 3;
/** The smallest frame, from its middle, in CSS pixels: what it is around stays visible. */
const SMALLEST = 5;

/**
 * The context is in CSS pixels.
 *
 * @param arm length of the arms, in CSS pixels
 */
export function drawPixelMarker(
  context: CanvasRenderingContext2D,
  view: View,
  pixel: Point,
  arm: number,
): void {
  const { x, y } = toScreen(view, pixel);
  const half = Math.max(view.scale / 2 + CLEARANCE, SMALLEST);
  const lines = new Path2D();
  lines.rect(x - half, y - half, 2 * half, 2 * half);
  for (const [dx, dy] of [
    [1, 0],
    [-1, 0],
    [0, 1],
    [0, -1],
  ]) {
    lines.moveTo(x + dx * half, y + dy * half);
    lines.lineTo(x + dx * (half + arm), y + dy * (half + arm));
  }
  context.save();
  for (const [width, style] of [
    [4, SHADE],
    [2, WHITE],
  ] as const) {
    context.lineWidth = width;
    context.strokeStyle = style;
    context.stroke(lines);
  }
  context.restore();
}
