/**
 * The chart and the cursor over it, each on a canvas of its own: while somebody points, the lines
 * are not drawn again.
 */

import { useSignalEffect } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { valueAt } from "../chart/lines";
import { INK, lineColor, marker } from "../chart/look";
import { cleared, paint } from "../chart/paint";
import { chartShapes, type Shape } from "../chart/picture";
import type { View } from "./view";
import { time } from "./words";

/** Pixels per key press, and with Shift. */
const STEP = 8;
const LARGE_STEP = 60;

export function Plot({ view }: { view: View }) {
  const place = useRef<HTMLDivElement>(null);
  const chart = useRef<HTMLCanvasElement>(null);
  const cursor = useRef<HTMLCanvasElement>(null);

  useEffect(() => {
    const element = place.current;
    if (!element) return;
    const observer = new ResizeObserver(([{ contentRect }]) => {
      view.width.value = Math.round(contentRect.width);
    });
    observer.observe(element);
    return () => observer.disconnect();
  }, [view]);

  useSignalEffect(() => {
    const { width, height } = view.frame.value;
    if (!chart.current || !width) return;
    const context = cleared(chart.current, width, height);
    if (!context) return;
    paint(context, chartShapes(view.chart.value, view.frame.value, view.theme.value));
    chart.current.closest<HTMLElement>(".evavos")?.setAttribute("data-evavos-ready", "true");
  });

  useSignalEffect(() => {
    const { width, height } = view.frame.value;
    if (!cursor.current || !width) return;
    const context = cleared(cursor.current, width, height);
    if (context) paint(context, cursorShapes(view));
  });

  const { height, x } = view.frame.value;
  const at = view.cursor;
  const { unit } = view.synced.drawing.value;
  return (
    <div
      ref={place}
      class="evc-plot"
      style={{ height: `${height}px` }}
      role="slider"
      tabIndex={0}
      aria-label="Where the lines are read"
      aria-orientation="horizontal"
      aria-valuemin={x.domain[0]}
      aria-valuemax={x.domain[1]}
      aria-valuenow={at.value ?? x.domain[0]}
      aria-valuetext={at.value === null ? "nowhere" : time(at.value, unit)}
      onPointerMove={(event) => view.point(event.offsetX)}
      onPointerDown={(event) => view.point(event.offsetX)}
      onPointerLeave={() => {
        at.value = null;
      }}
      onBlur={() => {
        at.value = null;
      }}
      onKeyDown={(event) => {
        const direction = { ArrowLeft: -1, ArrowRight: 1 }[event.key] as 1 | -1 | undefined;
        if (direction) view.step(direction, event.shiftKey ? LARGE_STEP : STEP);
        else if (event.key === "Home") view.point(view.frame.value.left);
        else if (event.key === "End") view.point(view.frame.value.right);
        else if (event.key === "Escape") at.value = null;
        else return;
        event.preventDefault();
        event.stopPropagation();
      }}
    >
      <canvas ref={chart} />
      <canvas ref={cursor} class="evc-cursor" />
    </div>
  );
}

function cursorShapes(view: View): Shape[] {
  const at = view.cursor.value;
  if (at === null) return [];
  const { x, y, top, bottom } = view.frame.value;
  const theme = view.theme.value;
  const px = x.pixel(at);
  const shapes: Shape[] = [
    { kind: "path", points: [px, top, px, bottom], color: INK[theme].soft, width: 1 },
  ];
  for (const line of view.shown.value) {
    const value = valueAt(line, at);
    if (value === null) continue;
    const py = y.pixel(value);
    for (const [radius, color] of [
      [7, INK[theme].surface],
      [5, lineColor(line.look, theme)],
    ] as const) {
      shapes.push({ kind: "path", points: marker(line.look, px, py, radius), color });
    }
  }
  return shapes;
}
