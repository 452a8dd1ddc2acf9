/** Shapes on a canvas. */

import type { Shape } from "./picture";
import { FONT } from "./svg";

const ALIGN = { start: "left", middle: "center", end: "right" } as const;

export function paint(
  context: CanvasRenderingContext2D | OffscreenCanvasRenderingContext2D,
  shapes: readonly Shape[],
): void {
  context.lineJoin = "round";
  for (const shape of shapes) {
    if (shape.kind === "text") {
      context.font = `${shape.size}px ${FONT}`;
      context.fillStyle = shape.color;
      context.textAlign = ALIGN[shape.align];
      context.fillText(shape.text, shape.x, shape.y);
      continue;
    }
    const { points } = shape;
    context.beginPath();
    for (let i = 0; i < points.length; i += 2) context.lineTo(points[i], points[i + 1]);
    context.globalAlpha = shape.opacity ?? 1;
    if (shape.width === undefined) {
      context.fillStyle = shape.color;
      context.fill();
    } else {
      context.strokeStyle = shape.color;
      context.lineWidth = shape.width;
      context.setLineDash((shape.dash as number[] | undefined) ?? []);
      context.stroke();
    }
    context.globalAlpha = 1;
  }
}

/** Makes a canvas as large as its place, in the pixels of the screen, and empties it. */
export function cleared(canvas: HTMLCanvasElement, width: number, height: number) {
  const ratio = devicePixelRatio;
  const [w, h] = [Math.round(width * ratio), Math.round(height * ratio)];
  if (canvas.width !== w || canvas.height !== h) {
    canvas.width = w;
    canvas.height = h;
  }
  const context = canvas.getContext("2d");
  context?.setTransform(ratio, 0, 0, ratio, 0, 0);
  context?.clearRect(0, 0, width, height);
  return context;
}
