/** The foot of the point verifier: how far each batch is, how fast it goes, and what went wrong. */

import type { ObjectInfo } from "./messages";
import type { View } from "./view";
import { BATCHES, pace } from "./words";

export function Foot({ view }: { view: View }) {
  const object = view.current;
  const trouble = view.kernel.trouble.value;
  const { answered } = view;
  const [left, skipped] = [view.open(false), view.open(true)];
  const waiting = view.answers.waiting.value;
  return (
    <footer class="evv-foot">
      {object && view.subject.value?.id === object.id && <Batches view={view} object={object} />}
      <p class="evv-numbers">
        <span data-answered={answered}>
          {answered} of {answered + left + skipped} answered
          {skipped > 0 && `, ${skipped} skipped`}
        </span>
        {waiting > 0 && <span class="ev-quiet">{waiting} being saved</span>}
        <span class="ev-quiet" title="The median of the latest answers; pauses do not count">
          {pace(view.kernel.state.value?.seconds_per_point ?? null, left)}
        </span>
        <span class="ev-spring" />
        {view.kernel.busy.value && <span role="status">The kernel is busy.</span>}
        {trouble && (
          <span class="ev-trouble" role="alert" title={trouble}>
            {trouble}
          </span>
        )}
      </p>
      <span class="ev-hidden" role="status">
        {view.announcement.value}
      </span>
    </footer>
  );
}

/** A bar for each batch of the object in hand. */
function Batches({ view, object }: { view: View; object: ObjectInfo }) {
  const questions = view.subject.value?.questions ?? [];
  const here = view.question?.[3];
  return (
    <ol class="evv-batches" aria-label={`Points of ${view.called(object)}`}>
      {BATCHES.map((name, region) => {
        const places = questions.flatMap((q, place) => (q[3] === region ? [place] : []));
        const done = places.filter((place) => view.answers.isSaved(object, place)).length;
        return (
          <li
            key={name}
            style={{ flexGrow: Math.max(1, places.length) }}
            aria-current={region === here ? "step" : undefined}
          >
            <progress
              class="ev-progress"
              value={done}
              max={Math.max(1, places.length)}
              aria-label={name}
            />
            <span>
              {name} {done}/{places.length}
            </span>
          </li>
        );
      })}
    </ol>
  );
}
