/** A row for each line: how it looks, when it reaches the target, its value at the cursor. */

import { useComputed } from "@preact/signals";
import type { Line } from "../chart/lines";
import { sample } from "../chart/picture";
import { Shapes } from "../chart/shapes";
import type { View } from "./view";
import { quality, reached, reading, time } from "./words";

export function Legend({ view }: { view: View }) {
  const { unit } = view.synced.drawing.value;
  const target = view.synced.target.value;
  const heading = useComputed(() => {
    const at = view.cursor.value;
    return at === null ? "J&F at the end" : `J&F at ${time(at, view.synced.drawing.value.unit)}`;
  });
  return (
    <table class="evc-legend">
      <caption class="ev-hidden">The lines; each name switches its line on or off</caption>
      <thead>
        <tr>
          <th scope="col">{unit === "hours" ? "Method" : "Quality"}</th>
          {target !== null && (
            <th scope="col" class="evc-number">
              To {quality(target)}
            </th>
          )}
          <th scope="col" class="evc-number evc-reading">
            {heading}
          </th>
        </tr>
      </thead>
      <tbody>
        {view.lines.value.map((line) => (
          <Row key={line.name} view={view} line={line} />
        ))}
      </tbody>
    </table>
  );
}

function Row({ view, line }: { view: View; line: Line }) {
  const { name, look } = line;
  const target = view.synced.target.value;
  const shown = !view.synced.hidden.value.includes(name);
  const value = useComputed(() => {
    const now = view.shown.value.find((each) => each.name === name);
    if (!now) return "";
    const at = view.cursor.value;
    return reading(now, at ?? now.x[now.x.length - 1]);
  });
  return (
    <tr class={shown ? "" : "evc-off"}>
      <th scope="row">
        <button
          type="button"
          class="ev-button evc-name"
          aria-pressed={shown}
          title={shown ? `Switch ${name} off` : `Switch ${name} on`}
          onClick={() => view.toggle(name)}
        >
          <Sample look={look} view={view} />
          <span>{name}</span>
        </button>
      </th>
      {target !== null && (
        <td class="evc-number">{reached(line, target, view.synced.drawing.value.unit)}</td>
      )}
      <td class="evc-number evc-reading">{value}</td>
    </tr>
  );
}

function Sample({ look, view }: { look: number; view: View }) {
  return (
    <svg class="evc-sample" width={30} height={12} aria-hidden="true">
      <Shapes shapes={sample(look, view.theme.value)} />
    </svg>
  );
}
