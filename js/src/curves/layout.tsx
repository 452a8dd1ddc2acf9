/** The curves from top to bottom: the run, what can be set, the chart, its legend, its numbers. */

import { TargetField } from "../chart/target-field";
import { Trouble } from "../ui/trouble";
import { Legend } from "./legend";
import { Plot } from "./plot";
import { KINDS, save } from "./save";
import { Table } from "./table";
import type { View } from "./view";
import { howFar } from "./words";

export function Layout({ view }: { view: View }) {
  const { note } = view.synced.drawing.value;
  return (
    <div class="ev-panel">
      <Run view={view} />
      <Trouble kernel={view.kernel} />
      {view.lines.value.length === 0 ? (
        <Empty view={view} />
      ) : (
        <>
          <Settings view={view} />
          <div class="evc-body">
            <Plot view={view} />
            <Legend view={view} />
          </div>
          <Table view={view} />
          {note && <p class="evc-note">{note}</p>}
        </>
      )}
    </div>
  );
}

function Run({ view }: { view: View }) {
  const progress = view.synced.progress.value;
  if (!progress) return null;
  const { phase, done, total } = progress;
  const over = phase === "stopped" || phase === "failed";
  return (
    <div class="evc-run" data-phase={phase}>
      {phase !== "failed" && (
        <progress
          class="ev-progress"
          value={done}
          max={Math.max(1, total)}
          aria-label="Loops finished"
        />
      )}
      <span class="evc-how-far" role={phase === "running" ? undefined : "status"}>
        {howFar(progress)}
      </span>
      {phase !== "done" && (
        <button
          type="button"
          class="ev-button ev-small ev-outlined"
          disabled={phase === "stopping"}
          onClick={() => (over ? view.resume() : view.stop())}
        >
          <span>{over ? "Go on" : "Stop"}</span>
        </button>
      )}
    </div>
  );
}

function Empty({ view }: { view: View }) {
  const waits = view.synced.progress.value?.phase === "running";
  const { unit } = view.synced.drawing.value;
  return (
    <p class="evc-empty">
      {waits
        ? "The first line appears as soon as a method has finished an object."
        : unit === "seconds"
          ? "The curve begins with the first propagation."
          : "There is nothing to show yet."}
    </p>
  );
}

function Settings({ view }: { view: View }) {
  const { target, logarithmic, drawing } = view.synced;
  const { tableOpen } = view;
  return (
    <div class="evc-settings">
      <TargetField value={target.value} onChange={(value) => target.set(value)} />
      <button
        type="button"
        class="ev-button ev-small"
        aria-pressed={logarithmic.value}
        onClick={() => logarithmic.set(!logarithmic.value)}
      >
        <span>Logarithmic {drawing.value.unit}</span>
      </button>
      <button
        type="button"
        class="ev-button ev-small"
        aria-pressed={tableOpen.value}
        onClick={() => {
          tableOpen.value = !tableOpen.value;
        }}
      >
        <span>Table</span>
      </button>
      <span class="evc-save" role="group" aria-label="Save as">
        {KINDS.map((kind) => (
          <button
            key={kind}
            type="button"
            class="ev-button ev-small ev-outlined"
            title={`Save as ${kind.toUpperCase()}`}
            onClick={() => void save(view, kind).catch((error) => view.kernel.fail(error))}
          >
            <span>{kind.toUpperCase()}</span>
          </button>
        ))}
      </span>
    </div>
  );
}
