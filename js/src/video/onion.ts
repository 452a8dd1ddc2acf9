/** Draws the masks of neighbouring frames as thin broken lines: the onion skin. */

import type { LabelLook } from "../masks/label-paint";
import type { Outlines } from "../masks/outlines";
import type { View } from "./view-transform";

/** Long dashes for the frame before, dots for the frame after; CSS pixels. */
export const BEFORE: readonly number[] = [8, 5];
export const AFTER: readonly number[] = [2, 4];

const SHADE = "rgba(0, 0, 0, 0.7)";

/** Lines lie between pixels, `outlinesOf` says where; the context is in CSS pixels. */
export function drawOnion(
  context: CanvasRenderingContext2D,
  { scale, x, y }: View,
  outlines: Outlines | null,
  objects: readonly LabelLook[],
  dash: readonly number[],
): void {
  if (!outlines) return;
  context.save();
  context.lineJoin = "round";
  context.setLineDash([...dash]);
  for (const { id, color } of objects) {
    const lines = new Path2D();
    for (const loop of outlines.get(id) ?? []) {
      for (let i = 0; i < loop.length; i += 2) {
        const px = (loop[i] + 0.5) * scale + x;
        const py = (loop[i + 1] + 0.5) * scale + y;
        if (i === 0) lines.moveTo(px, py);
        else lines.lineTo(px, py);
      }
      lines.closePath();
    }
    for (const [width, style] of [
      [3.4, SHADE],
      [1.8, color],
    ] as const) {
      context.lineWidth = width;
      context.strokeStyle = style;
      context.stroke(lines);
    }
  }
  context.restore();
}
