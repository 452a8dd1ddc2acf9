/** Takes what is shown out of the page, as a file that the browser downloads. */

import { csvText } from "../chart/csv";
import { paint } from "../chart/paint";
import { withLegend } from "../chart/picture";
import { svgText } from "../chart/svg";
import type { View } from "./view";
import { quality, reached } from "./words";

export const KINDS = ["png", "svg", "csv"] as const;
export type Kind = (typeof KINDS)[number];

/** Pixels of a PNG for one of the screen. */
const SHARPNESS = 2;

export async function save(view: View, kind: Kind): Promise<void> {
  view.kernel.trouble.value = null;
  const blob =
    kind === "png" ? await png(view) : new Blob([text(view, kind)], { type: TYPE[kind] });
  const address = URL.createObjectURL(blob);
  const link = document.createElement("a");
  link.href = address;
  link.download = `curves.${kind}`;
  link.click();
  URL.revokeObjectURL(address);
}

const TYPE = { svg: "image/svg+xml", csv: "text/csv" };

function text(view: View, kind: "svg" | "csv"): string {
  if (kind === "csv") return csvText(view.chart.value.unit, view.lines.value);
  const { shapes, width, height } = picture(view);
  return svgText(shapes, width, height, "#ffffff");
}

async function png(view: View): Promise<Blob> {
  const { shapes, width, height } = picture(view);
  const canvas = new OffscreenCanvas(width * SHARPNESS, height * SHARPNESS);
  const context = canvas.getContext("2d");
  if (!context) throw new Error("the browser gives no canvas to draw on.");
  context.scale(SHARPNESS, SHARPNESS);
  context.fillStyle = "#ffffff";
  context.fillRect(0, 0, width, height);
  paint(context, shapes);
  return canvas.convertToBlob({ type: "image/png" });
}

function picture(view: View) {
  const chart = view.chart.value;
  const { target, unit } = chart;
  return withLegend(chart, view.synced.drawing.value.note, (line) =>
    target === null ? "" : `  –  to ${quality(target)}: ${reached(line, target, unit)}`,
  );
}
