/** Where frames lie by what they look like to the policy: near each other where they are alike. */

import type { View } from "./view";

const SIDE = 220;
const MARGIN = 12;

export function FrameMap({ view }: { view: View }) {
  const places = view.places.value;
  const trust = view.shown.value?.trust ?? [];
  const frame = view.synced.frame.value;
  const asked = view.told.value?.asked;
  const chosen = asked?.object === view.object.value ? asked.frame : -1;
  const [x, y] = [scale(places.map((p) => p[0])), scale(places.map((p) => p[1]))];
  return (
    <figure class="evp-map">
      <svg
        viewBox={`0 0 ${SIDE} ${SIDE}`}
        role="img"
        aria-label={`Map of the frames; frame ${frame} is marked, the slider above moves it`}
        onPointerDown={(event) => {
          const box = event.currentTarget.getBoundingClientRect();
          const px = ((event.clientX - box.left) / box.width) * SIDE;
          const py = ((event.clientY - box.top) / box.height) * SIDE;
          const apart = places.map((p) => Math.hypot(x(p[0]) - px, y(p[1]) - py));
          if (apart.length) view.look(apart.indexOf(Math.min(...apart)));
        }}
      >
        <polyline
          class="evp-way"
          points={places.map((p) => `${x(p[0]).toFixed(1)},${y(p[1]).toFixed(1)}`).join(" ")}
        />
        {places.map((p, f) => (
          <circle
            key={f}
            class="evp-place"
            data-frame={f}
            data-annotated={trust[f] != null ? "" : undefined}
            data-chosen={f === chosen ? "" : undefined}
            cx={x(p[0])}
            cy={y(p[1])}
            r={trust[f] != null || f === chosen ? 5 : 3}
          >
            <title>frame {f}</title>
          </circle>
        ))}
        {places[frame] && (
          <circle class="evp-ring" cx={x(places[frame][0])} cy={y(places[frame][1])} r={9} />
        )}
      </svg>
      <figcaption>Frames by likeness (principal components)</figcaption>
    </figure>
  );
}

function scale(values: number[]): (value: number) => number {
  const low = Math.min(...values);
  const extent = Math.max(...values) - low || 1;
  return (value) => MARGIN + ((value - low) / extent) * (SIDE - 2 * MARGIN);
}
