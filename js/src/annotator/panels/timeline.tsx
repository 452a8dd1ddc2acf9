/**
 * The whole video at a glance: a lane per object with its predicted quality, what was said of
 * it and what is asked for, and where we are. Dragging scrubs; resting shows the frame.
 *
 * Quality is told by height as well as by colour, and each kind of mark has its own shape.
 */

import { useSignal } from "@preact/signals";
import { useRef } from "preact/hooks";
import { quality } from "../../ui/format";
import { useInSight } from "../../ui/in-sight";
import { nameAmong } from "../../ui/object-names";
import type { App } from "../app";
import { isLost } from "../landmarks";
import type { AnnotatedFrame, ObjectInfo, State } from "../messages";
import { MARK_NAMES, Mark, type MarkKind } from "./mark";
import { LEVELS, levelOf, qualityRuns } from "./quality";
import { Thumb } from "./thumb";

export function Timeline({ app }: { app: App }) {
  const track = useRef<HTMLDivElement>(null);
  const hovered = useSignal<number | null>(null);
  const { navigation, kernel } = app;
  const { count } = navigation;
  const frame = navigation.frame.value;
  const state = kernel.state.value;
  const objects = kernel.objects.value;
  const frameAt = (event: PointerEvent) => {
    const box = track.current?.getBoundingClientRect();
    const at = box ? Math.floor(((event.clientX - box.left) / box.width) * count) : frame;
    return Math.min(Math.max(at, 0), count - 1);
  };
  const over = hovered.value;
  return (
    <div class="ev-timeline">
      {over !== null && (
        <div class="ev-thumb-row">
          <Thumb app={app} frame={over} at={(over + 0.5) / count} caption={describe(state, over)} />
        </div>
      )}
      <div class="ev-lanes ev-scroll">
        <div class="ev-lane-names" aria-hidden="true">
          {objects.map((object) => (
            <button
              key={object.id}
              type="button"
              tabIndex={-1}
              class="ev-lane-name"
              title={nameAmong(object.id, objects)}
              onClick={() => app.synced.activeObject.set(object.id)}
            >
              {nameAmong(object.id, objects)}
            </button>
          ))}
        </div>
        <div
          ref={track}
          class="ev-track"
          role="slider"
          tabIndex={0}
          aria-label="Frame"
          aria-valuemin={0}
          aria-valuemax={count - 1}
          aria-valuenow={frame}
          aria-valuetext={describe(state, frame)}
          onPointerDown={(event) => {
            if (event.button !== 0) return;
            event.currentTarget.setPointerCapture(event.pointerId);
            navigation.jump(frameAt(event));
          }}
          onPointerMove={(event) => {
            hovered.value = frameAt(event);
            if (event.currentTarget.hasPointerCapture(event.pointerId)) {
              navigation.jump(hovered.value);
            }
          }}
          onPointerLeave={() => {
            hovered.value = null;
          }}
        >
          {objects.length === 0 && <div class="ev-lane" />}
          {state &&
            objects.map((object) => (
              <Lane key={object.id} app={app} state={state} object={object} count={count} />
            ))}
          <Playhead app={app} />
        </div>
      </div>
      {objects.length > 0 && <Legend />}
    </div>
  );
}

const Legend = () => (
  <div class="ev-lane-legend" aria-hidden="true">
    {(["drawn", "corrected", "verified", "absent", "suggested"] as const).map((kind) => (
      <span key={kind}>
        <Mark kind={kind} />
        {MARK_NAMES[kind]}
      </span>
    ))}
    <span>
      <span class="ev-lost ev-legend-lost" />
      empty: lost or absent
    </span>
    <span>
      <svg class="ev-legend-bars" viewBox="0 0 18 12" aria-hidden="true">
        {[1, 4, 7].map((level, i) => (
          <rect
            key={level}
            class="ev-quality"
            data-level={level}
            x={i * 6}
            width={6}
            y={11 - level * 1.5}
            height={level * 1.5 + 1}
          />
        ))}
      </svg>
      predicted quality, pale: waits for a pass
    </span>
  </div>
);

function Playhead({ app }: { app: App }) {
  const { count } = app.navigation;
  const left = `${((app.navigation.frame.value + 0.5) / count) * 100}%`;
  return <div class="ev-playhead" style={{ left, "--ev-cell": `${100 / count}%` }} />;
}

interface StripProps {
  values: readonly (number | null)[];
  stale: State["stale"];
  count: number;
}

/** Predicted quality as bars, pale where a pass is due. */
function Strip({ values, stale, count }: StripProps) {
  return (
    <svg
      class="ev-strip"
      viewBox={`0 0 ${count} ${LEVELS}`}
      preserveAspectRatio="none"
      aria-hidden="true"
    >
      {qualityRuns(values).map(({ start, end, level }) => (
        <rect
          key={start}
          class="ev-quality"
          data-level={level}
          x={start}
          width={end - start}
          y={LEVELS - 1 - level}
          height={level + 1}
        />
      ))}
      {stale.map(([first, last]) => (
        <rect
          key={`stale-${first}`}
          class="ev-stale"
          x={first}
          width={last - first + 1}
          y={0}
          height={LEVELS}
        />
      ))}
    </svg>
  );
}

interface LaneProps {
  app: App;
  state: State;
  object: ObjectInfo;
  count: number;
}

function Lane({ app, state, object, count }: LaneProps) {
  const { id } = object;
  const at = (frame: number) => ({ left: `${((frame + 0.5) / count) * 100}%` });
  const asked = [...(state.suggestion ? [state.suggestion] : []), ...state.alternatives];
  const active = app.editor.objects.active.value?.id === id;
  const lane = useInSight<HTMLDivElement>(active);
  return (
    <div
      ref={lane}
      class={`ev-lane ${active ? "ev-lane-active" : ""}`}
      style={{ "--ev-object": object.color }}
    >
      <Strip values={withoutLost(state, id)} stale={state.stale} count={count} />
      {(state.lost[id] ?? []).map(([first, last]) => (
        <div
          key={`lost-${first}`}
          class="ev-lost"
          style={{
            left: `${(first / count) * 100}%`,
            width: `${((last - first + 1) / count) * 100}%`,
          }}
        />
      ))}
      {state.annotated
        .filter((annotated) => annotated.objects.includes(id))
        .map((annotated) => (
          <Mark key={annotated.frame} kind={kindOf(annotated, id)} style={at(annotated.frame)} />
        ))}
      {app.editor.drafts.unfinished.value
        .filter((draft) => draft.object === id)
        .map(({ frame }) => (
          <Mark key={`draft-${frame}`} kind="draft" style={at(frame)} />
        ))}
      {asked.map(
        (next) =>
          next.object === id && (
            <Mark
              key={`next-${next.frame}`}
              kind="suggested"
              class={next === state.suggestion ? "" : "ev-mark-alternative"}
              style={at(next.frame)}
            />
          ),
      )}
    </div>
  );
}

/** An empty mask has no quality: it is right where the object is gone, and else the object is lost. */
function withoutLost(state: State, object: number): (number | null)[] {
  const values = [...(state.object_quality[object] ?? [])];
  for (const [first, last] of state.lost[object] ?? []) values.fill(null, first, last + 1);
  return values;
}

function kindOf(annotated: AnnotatedFrame, object: number): MarkKind {
  for (const kind of ["absent", "verified", "corrected"] as const) {
    if (annotated[kind].includes(object)) return kind;
  }
  return "drawn";
}

/** A frame in words, for thumbnails and screen readers. */
function describe(state: State | null, frame: number): string {
  const parts = [`Frame ${frame}`];
  if (!state) return parts[0];
  const annotated = state.annotated.find((a) => a.frame === frame);
  const called = ({ id }: ObjectInfo) => nameAmong(id, state.objects);
  for (const kind of ["drawn", "corrected", "verified", "absent"] as const) {
    const names = state.objects
      .filter(({ id }) => annotated?.objects.includes(id) && kindOf(annotated, id) === kind)
      .map(called);
    if (names.length > 0) parts.push(`${MARK_NAMES[kind]}: ${names.join(", ")}`);
  }
  const lost = state.objects.filter(({ id }) => isLost(state, id, frame));
  if (lost.length > 0) parts.push(`empty, lost or absent: ${lost.map(called).join(", ")}`);
  const value = state.quality[frame];
  const judged = lost.length < state.objects.length;
  if (judged && value !== null && value !== undefined && levelOf(value) !== null) {
    parts.push(`predicted J&F ${quality(value)}`);
  }
  if (state.suggestion?.frame === frame) parts.push("suggested next");
  if (state.stale.some(([first, last]) => frame >= first && frame <= last)) {
    parts.push("waits for a pass");
  }
  return parts.join(", ");
}
