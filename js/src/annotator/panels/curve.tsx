/**
 * Quality over the annotator's seconds, where it stands now, and the way to a target. Predicted
 * and true differ in shape and dash as well as in colour, and a table says the same to screen
 * readers.
 */

import type { RefObject } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import type { Line } from "../../chart/lines";
import { chartShapes, frameOf } from "../../chart/picture";
import { Shapes } from "../../chart/shapes";
import { TargetField } from "../../chart/target-field";
import { J_AND_F, quality, seconds } from "../../ui/format";
import type { Theme } from "../../ui/theme";
import type { App } from "../app";
import type { CurvePoint, State } from "../messages";
import { type Measured, secondsTo } from "./forecast";

export function Curve({ app }: { app: App }) {
  const state = app.kernel.state.value;
  if (!state || state.objects.length === 0) return null;
  const points = state.curve;
  const hasTruth = points.some((point) => point.true !== null);
  const target = app.synced.target.value;
  const now = { seconds: state.seconds, quality: isJudged(state) ? meanQuality(state) : null };
  return (
    <section class="ev-card ev-curve" aria-labelledby="ev-curve-title">
      <div class="ev-title-row">
        <h2 id="ev-curve-title" class="ev-title">
          Quality
        </h2>
        <TargetField value={target} onChange={(value) => app.synced.target.set(value)} />
      </div>
      <p class="ev-now">
        <strong>{now.quality === null ? "–" : quality(now.quality)}</strong>{" "}
        <span title={J_AND_F}>predicted J&amp;F</span> after{" "}
        <strong title="your time">{seconds(Math.round(now.seconds))}</strong>
      </p>
      {target !== null && <Way target={target} points={points} />}
      {points.length > 0 && (
        <>
          <Chart points={points} now={now} target={target} theme={app.theme.value} />
          <p class="ev-legend" aria-hidden="true">
            <span class="ev-legend-predicted">predicted</span>
            {hasTruth && <span class="ev-legend-true">true</span>}
            {target !== null && <span class="ev-legend-target">target</span>}
          </p>
          <Table points={points} hasTruth={hasTruth} />
        </>
      )}
    </section>
  );
}

/** Whether anything was predicted: of frames drawn by hand alone there is nothing to say. */
export function isJudged(state: State): boolean {
  const drawn = new Set(state.annotated.map(({ frame }) => frame));
  return (
    drawn.size === state.quality.length ||
    state.quality.some((value, frame) => value !== null && !drawn.has(frame))
  );
}

/** Mean over frames and objects, as the curve has it. */
function meanQuality(state: State): number | null {
  const known = state.objects
    .flatMap(({ id }) => state.object_quality[id] ?? [])
    .filter((value) => value !== null);
  return known.length > 0 ? known.reduce((a, b) => a + b, 0) / known.length : null;
}

/** How far it is to the target, of the true quality where that is known; silent if unknown. */
function Way({ target, points }: { target: number; points: readonly CurvePoint[] }) {
  const which = points.some((point) => point.true !== null) ? "true" : "predicted";
  const measured = points.flatMap((point): Measured[] => {
    const value = point[which];
    return value === null ? [] : [{ seconds: point.seconds, quality: value }];
  });
  const more = secondsTo(target, measured);
  if (more === null) return null;
  return (
    <p class="ev-text ev-way" role="status">
      {more === "reached"
        ? `The target of ${quality(target)} is reached.`
        : `About ${roughly(more)} more to ${quality(target)}.`}
    </p>
  );
}

/** An estimate is not told to the second. */
const roughly = (value: number) => {
  const step = value < 30 ? 5 : value < 120 ? 10 : 60;
  return seconds(Math.max(step, Math.round(value / step) * step));
};

interface ChartProps {
  points: readonly CurvePoint[];
  now: { seconds: number; quality: number | null };
  target: number | null;
  theme: Theme;
}

/** The point where it stands now looks like those of the prediction, which it belongs to. */
function Chart({ points, now, target, theme }: ChartProps) {
  const lines = [
    line(
      0,
      points.map(({ seconds, predicted }) => [seconds, predicted]),
    ),
    line(
      1,
      points.map((point) => [point.seconds, point.true]),
    ),
    line(0, [[now.seconds, now.quality]]),
  ].filter(({ x }) => x.length > 0);
  const chart = { unit: "seconds", lines, target, logarithmic: false } as const;
  const place = useRef<HTMLDivElement>(null);
  const { width, height } = useSize(place);
  return (
    <div ref={place} class="ev-chart">
      {width > 0 && (
        <svg width={width} height={height} aria-hidden="true">
          <Shapes shapes={chartShapes(chart, frameOf(chart, width, height), theme)} />
        </svg>
      )}
    </div>
  );
}

/** Pixels of the inside of an element, which its surroundings decide; 0 before they are known. */
function useSize(place: RefObject<HTMLElement | null>): { width: number; height: number } {
  const [size, setSize] = useState({ width: 0, height: 0 });
  useEffect(() => {
    if (!place.current) return;
    const observer = new ResizeObserver(
      ([
        {
          contentRect: { width, height },
        },
      ]) => {
        setSize({ width: Math.floor(width), height: Math.floor(height) });
      },
    );
    observer.observe(place.current);
    return () => observer.disconnect();
  }, [place]);
  return size;
}

function line(look: number, points: [number, number | null][]): Line {
  const known = points.filter((point): point is [number, number] => point[1] !== null);
  const nothing = known.map(() => Number.NaN);
  return {
    ...{ name: "", look, low: nothing, high: nothing },
    x: known.map(([x]) => x),
    y: known.map(([, y]) => y),
  };
}

function Table({ points, hasTruth }: { points: readonly CurvePoint[]; hasTruth: boolean }) {
  const cell = (value: number | null) => (value === null ? "unknown" : quality(value));
  return (
    <table class="ev-hidden">
      <caption>Mean J&amp;F after each round</caption>
      <thead>
        <tr>
          <th scope="col">Your seconds</th>
          <th scope="col">Predicted</th>
          {hasTruth && <th scope="col">True</th>}
        </tr>
      </thead>
      <tbody>
        {points.map((point, round) => (
          <tr key={round}>
            <td>{Math.round(point.seconds)}</td>
            <td>{cell(point.predicted)}</td>
            {hasTruth && <td>{cell(point.true)}</td>}
          </tr>
        ))}
      </tbody>
    </table>
  );
}
