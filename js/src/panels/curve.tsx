/**
 * Quality over the annotator's seconds, where it stands now, and the way to a target. Predicted
 * and true differ in shape and dash as well as in colour, and a table says the same to screen
 * readers.
 */

import type { App } from "../app";
import type { CurvePoint, State } from "../protocol";
import { type Measured, secondsTo } from "./forecast";
import { quality, seconds } from "./format";

const WIDTH = 232;
const HEIGHT = 108;
const LEFT = 28;
const RIGHT = 8;
const TOP = 6;
const BOTTOM = 16;

export function Curve({ app }: { app: App }) {
  const state = app.kernel.state.value;
  if (!state || state.objects.length === 0) return null;
  const points = state.curve;
  const hasTruth = points.some((point) => point.true !== null);
  const target = app.synced.target.value;
  const now = { seconds: state.seconds, quality: meanQuality(state) };
  return (
    <section class="ev-card ev-curve" aria-labelledby="ev-curve-title">
      <div class="ev-title-row">
        <h2 id="ev-curve-title" class="ev-title">
          Quality
        </h2>
        <Target app={app} />
      </div>
      <p class="ev-now">
        <strong>{now.quality === null ? "–" : quality(now.quality)}</strong> predicted after{" "}
        <strong>{seconds(Math.round(now.seconds))}</strong> of yours
      </p>
      {target !== null && <Way target={target} points={points} />}
      {points.length > 0 && (
        <>
          <Chart points={points} now={now} target={target} />
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

/** Mean over frames and objects, as the curve has it. */
function meanQuality(state: State): number | null {
  const known = state.objects
    .flatMap(({ id }) => state.object_quality[id] ?? [])
    .filter((value) => value !== null);
  return known.length > 0 ? known.reduce((a, b) => a + b, 0) / known.length : null;
}

function Target({ app }: { app: App }) {
  const { target } = app.synced;
  return (
    <label class="ev-target">
      target
      <input
        class="ev-field"
        type="number"
        min="0"
        max="1"
        step="0.05"
        placeholder="none"
        value={target.value ?? ""}
        onChange={(event) => {
          const { value } = event.currentTarget;
          const wanted = Math.min(1, Math.max(0, Number(value)));
          target.set(value === "" || Number.isNaN(wanted) ? null : wanted);
        }}
      />
    </label>
  );
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
}

function Chart({ points, now, target }: ChartProps) {
  const values = [...points.flatMap((p) => [p.predicted, p.true]), now.quality, target].filter(
    (value) => value !== null,
  );
  const low = Math.max(0, Math.floor((Math.min(1, ...values) - 0.02) * 10) / 10);
  const longest = Math.max(1, points.at(-1)?.seconds ?? 0, now.seconds);
  const x = (value: number) => LEFT + (value / longest) * (WIDTH - LEFT - RIGHT);
  const y = (value: number) => TOP + ((1 - value) / (1 - low)) * (HEIGHT - TOP - BOTTOM);
  const middle = (1 + low) / 2;
  return (
    <svg class="ev-chart" viewBox={`0 0 ${WIDTH} ${HEIGHT}`} aria-hidden="true">
      {[1, middle, low].map((value) => (
        <g key={value}>
          <line class="ev-grid" x1={LEFT} x2={WIDTH - RIGHT} y1={y(value)} y2={y(value)} />
          <text class="ev-tick" x={LEFT - 5} y={y(value) + 3} text-anchor="end">
            {quality(value).replace(/0$/, "")}
          </text>
        </g>
      ))}
      <text class="ev-tick" x={LEFT} y={HEIGHT - 3}>
        0
      </text>
      <text class="ev-tick" x={WIDTH - RIGHT} y={HEIGHT - 3} text-anchor="end">
        {seconds(Math.round(longest))}
      </text>
      {target !== null && (
        <line class="ev-target-line" x1={LEFT} x2={WIDTH - RIGHT} y1={y(target)} y2={y(target)} />
      )}
      {(["true", "predicted"] as const).map((which) => {
        const known = points.filter((point) => point[which] !== null);
        const at = known.map((point) => [x(point.seconds), y(point[which] ?? 0)] as const);
        return (
          <g key={which} class={`ev-series ev-series-${which}`}>
            <polyline points={at.map((p) => p.join(",")).join(" ")} />
            {at.map(([px, py]) =>
              which === "true" ? (
                <rect key={px} x={px - 2} y={py - 2} width={4} height={4} />
              ) : (
                <circle key={px} cx={px} cy={py} r={2.4} />
              ),
            )}
          </g>
        );
      })}
      {now.quality !== null && (
        <circle class="ev-chart-now" cx={x(now.seconds)} cy={y(now.quality)} r={3.6} />
      )}
    </svg>
  );
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
