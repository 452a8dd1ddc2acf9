/** The lines as numbers: for screen readers, and for everybody who asks. */

import { tableTimes, valueAt } from "../chart/lines";
import type { View } from "./view";
import { time } from "./words";

export function Table({ view }: { view: View }) {
  const lines = view.shown.value;
  const { unit } = view.synced.drawing.value;
  if (lines.length === 0) return null;
  const open = view.tableOpen.value;
  return (
    <div
      class={open ? "evc-table" : "ev-hidden"}
      role="region"
      aria-label="Numbers"
      // Whoever has no mouse scrolls it sideways by keys.
      tabIndex={open ? 0 : undefined}
    >
      <table>
        <caption>J&amp;F after some of the annotator's {unit}</caption>
        <thead>
          <tr>
            <th scope="col">{unit}</th>
            {lines.map(({ name }) => (
              <th key={name} scope="col">
                {name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {tableTimes(lines).map((at) => (
            <tr key={at}>
              <th scope="row">{time(at, unit)}</th>
              {lines.map((line) => (
                <td key={line.name}>{valueAt(line, at)?.toFixed(3) ?? "–"}</td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
