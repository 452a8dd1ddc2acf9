/**
 * Quality over the annotator's seconds. Predicted and true differ in shape and dash as well as
 * in colour, and a table says the same to screen readers.
 */

import type { App } from "../app";
import type { CurvePoint } from "../protocol";
import { quality, seconds } from "./format";

const WIDTH = 232;
const HEIGHT = 108;
const LEFT = 28;
const RIGHT = 8;
const TOP = 6;
const BOTTOM = 16;

export function Curve({ app }: { app: App }) {
  const points = app.kernel.state.value?.curve ?? [];
  const last = points.at(-1);
  if (!last) return null;
  const hasTruth = points.some((point) => point.true !== null);
  return (
    <section class="ev-card" aria-labelledby="ev-curve-title">
      <div class="ev-title-row">
        <h2 id="ev-curve-title" class="ev-title">
          Quality
        </h2>
        <span class="ev-legend">
          <span class="ev-legend-predicted">predicted</span>
          {hasTruth && <span class="ev-legend-true">true</span>}
        </span>
      </div>
      <Chart points={points} />
      <Table points={points} hasTruth={hasTruth} />
    </section>
  );
}

function Chart({ points }: { points: readonly CurvePoint[] }) {
  const values = points.flatMap((p) => [p.predicted, p.true]).filter((v) => v !== null);
  const low = Math.max(0, Math.floor((Math.min(1, ...values) - 0.02) * 10) / 10);
  const longest = Math.max(1, points.at(-1)?.seconds ?? 0);
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
