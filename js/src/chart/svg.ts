/** Shapes as the text of an SVG file. Pure. */

import type { Shape } from "./picture";

export const FONT = "system-ui, -apple-system, 'Segoe UI', Helvetica, Arial, sans-serif";

/** A whole file; without a background it lets through what is behind it. */
export function svgText(
  shapes: readonly Shape[],
  width: number,
  height: number,
  background?: string,
): string {
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" ` +
      `viewBox="0 0 ${width} ${height}" font-family="${FONT}">`,
    ...(background ? [`<rect width="100%" height="100%" fill="${background}"/>`] : []),
    ...shapes.map(element),
    "</svg>",
  ].join("\n");
}

function element(shape: Shape): string {
  if (shape.kind === "text") {
    const { x, y, size, color, align } = shape;
    return (
      `<text x="${round(x)}" y="${round(y)}" font-size="${size}" fill="${color}" ` +
      `text-anchor="${align}">${escaped(shape.text)}</text>`
    );
  }
  const { points, color, width, dash, opacity } = shape;
  const dashed = dash?.length ? ` stroke-dasharray="${dash.join(" ")}"` : "";
  const ink =
    width === undefined
      ? `fill="${color}"`
      : `fill="none" stroke="${color}" stroke-width="${width}" stroke-linejoin="round"${dashed}`;
  return `<path d="${pathData(points)}" ${ink}${opacity === undefined ? "" : ` opacity="${opacity}"`}/>`;
}

/** What a path element draws; x and y in turn. */
export const pathData = (points: readonly number[]) =>
  points.map((value, i) => (i % 2 ? round(value) : `${i ? "L" : "M"}${round(value)} `)).join("");

const round = (value: number) => Number(value.toFixed(2));

const escaped = (text: string) =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
