/** The strip of frames: quality, score, trust and disagreement along the video, to point at. */

import type { View } from "./view";
import { number } from "./words";

const WIDTH = 1000;
const HEIGHT = 120;
/** Frames that are passed over with Shift. */
const LEAP = 10;

export function Strip({ view }: { view: View }) {
  const n = view.synced.video.value.n_frames;
  const shown = view.shown.value;
  const told = view.told.value;
  const frame = view.synced.frame.value;
  const x = (f: number) => ((f + 0.5) / n) * WIDTH;
  const at = (offset: number, width: number) => view.look(Math.floor((offset / width) * n));
  const chosen = told?.asked?.object === view.object.value ? told.asked.frame : null;
  const made = told?.made?.object === view.object.value ? told.made.frame : null;
  return (
    <div
      class="evp-strip"
      role="slider"
      tabIndex={0}
      aria-label="Frame"
      aria-valuemin={0}
      aria-valuemax={n - 1}
      aria-valuenow={frame}
      aria-valuetext={`frame ${frame}, predicted ${number(shown?.predicted[frame], 2)}`}
      onPointerDown={(event) => {
        const { left, width } = event.currentTarget.getBoundingClientRect();
        at(event.clientX - left, width);
      }}
      onKeyDown={(event) => {
        const way = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1 }[event.key];
        if (way) view.look(frame + way * (event.shiftKey ? LEAP : 1));
        else if (event.key === "Home") view.look(0);
        else if (event.key === "End") view.look(n - 1);
        else return;
        event.preventDefault();
        event.stopPropagation();
      }}
    >
      <svg viewBox={`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" aria-hidden="true">
        {[0.5, 1].map((value) => (
          <line key={value} class="evp-grid" x1={0} x2={WIDTH} y1={y(value)} y2={y(value)} />
        ))}
        <Line values={scaled(shown?.scores ?? null)} x={x} kind="score" />
        <Line values={view.apart.value ?? null} x={x} kind="apart" />
        <Line values={shown?.predicted ?? null} x={x} kind="predicted" />
        <Line values={shown?.true ?? null} x={x} kind="true" />
        {chosen !== null && <line class="evp-chosen" x1={x(chosen)} x2={x(chosen)} y2={HEIGHT} />}
        {made !== null && <line class="evp-made" x1={x(made)} x2={x(made)} y2={HEIGHT} />}
        <line class="evp-here" x1={x(frame)} x2={x(frame)} y2={HEIGHT} />
      </svg>
      {shown?.trust.map((trust, f) =>
        trust === null ? null : (
          <span
            key={f}
            class="evp-annotated"
            title={`frame ${f} is annotated, trust ${number(trust, 2)}`}
            style={{ left: `${((f + 0.5) / n) * 100}%`, opacity: 0.35 + 0.65 * trust }}
          />
        ),
      )}
    </div>
  );
}

const y = (value: number) => HEIGHT - 4 - value * (HEIGHT - 8);

/** A line with gaps where nothing is known. */
function Line({
  values,
  x,
  kind,
}: {
  values: (number | null)[] | null;
  x: (frame: number) => number;
  kind: string;
}) {
  if (!values) return null;
  let path = "";
  let on = false;
  values.forEach((value, f) => {
    if (value !== null) path += `${on ? "L" : "M"}${x(f).toFixed(1)} ${y(value).toFixed(1)}h0.1`;
    on = value !== null;
  });
  return <path class="evp-line" data-kind={kind} d={path} />;
}

/** Scores from 0 to 1, whatever they mean. */
function scaled(scores: (number | null)[] | null): (number | null)[] | null {
  const known = scores?.filter((s) => s !== null) ?? [];
  if (!scores || known.length === 0) return null;
  const low = Math.min(...known);
  const extent = Math.max(...known) - low || 1;
  return scores.map((s) => (s === null ? null : (s - low) / extent));
}

export function Key({ view }: { view: View }) {
  const { meaning } = view.told.value ?? {};
  const truth = view.kernel.state.value?.truth;
  const lines: [string, string][] = [
    ["predicted", "predicted J&F, 0 to 1; the line in the middle is 0.5"],
    ...(truth ? [["true", "true J&F"] as [string, string]] : []),
    ...(meaning
      ? [["score", `score, from its lowest to its highest: ${meaning}`] as [string, string]]
      : []),
    ...(view.apart.value ? [["apart", "disagreement of the two sides"] as [string, string]] : []),
  ];
  return (
    <p class="evp-key">
      {lines.map(([kind, name]) => (
        <span key={kind}>
          <svg width="22" height="8" aria-hidden="true">
            <path class="evp-line" data-kind={kind} d="M1 4H21" />
          </svg>{" "}
          {name}
        </span>
      ))}
      <span>
        <i class="evp-dot" /> annotated, fainter where less trusted
      </span>
      <span>
        <i class="evp-dashed" /> asked for
      </span>
      <span>
        <i class="evp-dashed evp-solid" /> made
      </span>
      {view.apart.value === null && (
        <span>no two sides: fewer than two frames of this object are annotated</span>
      )}
      {view.apart.value === undefined && (
        <button
          type="button"
          class="ev-button ev-small ev-outlined"
          disabled={view.comparing.value}
          title="Carries the masks from either side, which takes two passes"
          onClick={() => void view.compareSides()}
        >
          <span>{view.comparing.value ? "Comparing …" : "Compare the two sides"}</span>
        </button>
      )}
    </p>
  );
}
