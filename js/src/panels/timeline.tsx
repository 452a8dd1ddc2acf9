/**
 * The whole video at a glance: predicted quality per frame, a lane per object with what was
 * drawn and what is asked for, and where we are. Dragging scrubs.
 *
 * Quality is told by height as well as by colour, and each kind of mark has its own shape.
 */

import { useRef } from "preact/hooks";
import type { App } from "../app";
import type { ObjectInfo, State } from "../protocol";
import { quality } from "./format";
import { LEVELS, levelOf, qualityRuns } from "./quality";

const STRIP_HEIGHT = 20;

export function Timeline({ app }: { app: App }) {
  const track = useRef<HTMLDivElement>(null);
  const { navigation, kernel } = app;
  const { count } = navigation;
  const frame = navigation.frame.value;
  const state = kernel.state.value;
  const frameAt = (event: PointerEvent) => {
    const box = track.current?.getBoundingClientRect();
    return box ? Math.floor(((event.clientX - box.left) / box.width) * count) : frame;
  };
  return (
    <div class="ev-timeline">
      <div class="ev-lane-names" aria-hidden="true">
        <div class="ev-lane-name ev-quiet" style={{ height: STRIP_HEIGHT }}>
          quality
        </div>
        {kernel.objects.value.map((object) => (
          <div key={object.id} class="ev-lane-name">
            {object.name}
          </div>
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
        title={describe(state, frame)}
        onPointerDown={(event) => {
          if (event.button !== 0) return;
          event.currentTarget.setPointerCapture(event.pointerId);
          navigation.jump(frameAt(event));
        }}
        onPointerMove={(event) => {
          const over = frameAt(event);
          event.currentTarget.title = describe(state, Math.min(Math.max(over, 0), count - 1));
          if (event.currentTarget.hasPointerCapture(event.pointerId)) navigation.jump(over);
        }}
      >
        {state && <Strip state={state} count={count} />}
        {state &&
          kernel.objects.value.map((object) => (
            <Lane key={object.id} app={app} state={state} object={object} count={count} />
          ))}
        <Playhead app={app} />
      </div>
    </div>
  );
}

function Playhead({ app }: { app: App }) {
  const { count } = app.navigation;
  const left = `${((app.navigation.frame.value + 0.5) / count) * 100}%`;
  return <div class="ev-playhead" style={{ left, "--ev-cell": `${100 / count}%` }} />;
}

/** Predicted quality as bars, and hatching where a pass is due. */
function Strip({ state, count }: { state: State; count: number }) {
  return (
    <svg
      class="ev-strip"
      viewBox={`0 0 ${count} ${LEVELS}`}
      preserveAspectRatio="none"
      style={{ height: STRIP_HEIGHT }}
      aria-hidden="true"
    >
      {qualityRuns(state.quality).map(({ start, end, level }) => (
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
      {state.stale.map(([first, last]) => (
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
  const at = (frame: number) => ({ left: `${((frame + 0.5) / count) * 100}%` });
  const suggestion = state.suggestion?.object === object.id ? state.suggestion : null;
  const active = app.editor.object.value?.id === object.id;
  return (
    <div
      class={`ev-lane ${active ? "ev-lane-active" : ""}`}
      style={{ "--ev-object": object.color }}
    >
      {state.annotated
        .filter((annotated) => annotated.objects.includes(object.id))
        .map(({ frame, absent }) => (
          <span
            key={frame}
            class={absent.includes(object.id) ? "ev-mark ev-mark-absent" : "ev-mark ev-mark-drawn"}
            style={at(frame)}
          />
        ))}
      {app.editor.unfinished.value
        .filter((draft) => draft.object === object.id)
        .map(({ frame }) => (
          <span key={`draft-${frame}`} class="ev-mark ev-mark-draft" style={at(frame)} />
        ))}
      {suggestion && (
        <span class="ev-mark ev-mark-suggested" style={at(suggestion.frame)}>
          !
        </span>
      )}
    </div>
  );
}

/** A frame in words, for tooltips and screen readers. */
function describe(state: State | null, frame: number): string {
  const parts = [`Frame ${frame}`];
  if (!state) return parts[0];
  const annotated = state.annotated.find((a) => a.frame === frame);
  const names = (ids: number[]) =>
    ids.map((id) => state.objects.find((o) => o.id === id)?.name ?? id).join(", ");
  const drawn = annotated?.objects.filter((id) => !annotated.absent.includes(id)) ?? [];
  if (drawn.length > 0) parts.push(`drawn: ${names(drawn)}`);
  if (annotated?.absent.length) parts.push(`absent: ${names(annotated.absent)}`);
  const value = state.quality[frame];
  if (value !== null && value !== undefined && levelOf(value) !== null) {
    parts.push(`predicted J&F ${quality(value)}`);
  }
  if (state.suggestion?.frame === frame) parts.push("suggested next");
  if (state.stale.some(([first, last]) => frame >= first && frame <= last)) {
    parts.push("waits for a pass");
  }
  return parts.join(", ");
}
