/** The queue: what to go on with, and every video with how it stands. */

import { useEffect, useRef } from "preact/hooks";
import { Trouble } from "../ui/trouble";
import type { Entry, State } from "./messages";
import type { View } from "./view";
import { promise, promiseTitle, proposal, spent, standing } from "./words";

export function Layout({ view }: { view: View }) {
  const state = view.kernel.state.value;
  if (!state) {
    return (
      <div class="ev-panel">
        {!view.kernel.gone.value && "Waiting for the kernel …"}
        <Trouble kernel={view.kernel} />
      </div>
    );
  }
  const { next } = state;
  const below = next !== null && next === state.open;
  return (
    <div class="ev-panel">
      <header class="evq-head">
        <span role="status">{spent(state)}</span>
        <button
          type="button"
          class="ev-button ev-primary"
          title={next ?? undefined}
          disabled={!next || below || view.opening.value !== null}
          onClick={() => next && void view.open(next)}
        >
          {next ? "Go on with " : <span>Nothing is left to do</span>}
          {next && <span class="ev-called">{next}</span>}
          {below && " below"}
        </button>
      </header>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: whoever has no mouse scrolls it by keys */}
      <div class="evq-list" tabIndex={0} role="region" aria-label="Videos of the campaign">
        <ol>
          {state.entries.map((entry) => (
            <Row key={entry.video} view={view} state={state} entry={entry} />
          ))}
        </ol>
      </div>
      {state.measured === 0 && (
        <p class="evq-soft">
          How sure a prediction is was not measured for this engine; it is an assumption.
        </p>
      )}
      <Trouble kernel={view.kernel} />
    </div>
  );
}

function Row({ view, state, entry }: { view: View; state: State; entry: Entry }) {
  const { video, status, predicted } = entry;
  const isOpen = state.open === video;
  const opening = view.opening.value;
  return (
    <li data-status={status} data-video={video} aria-current={isOpen ? "true" : undefined}>
      <Picture view={view} video={video} />
      <div class="evq-about">
        <strong>{video}</strong>
        <span class="evq-standing">
          <meter min={0} max={1} value={predicted ?? 0} aria-label={`Predicted J&F of ${video}`} />
          {standing(entry, state.target)}
        </span>
        <span class="evq-soft">
          {proposal(entry)}
          {(status === "open" || status === "new") && (
            <span title={promiseTitle(entry)}> ({promise(entry)})</span>
          )}
        </span>
      </div>
      <div class="evq-buttons">
        <button
          type="button"
          class="ev-button ev-small ev-outlined"
          aria-label={`Open ${video}`}
          disabled={isOpen || opening !== null}
          onClick={() => void view.open(video)}
        >
          <span>{opening === video ? "Opening …" : isOpen ? "Open below" : "Open"}</span>
        </button>
        <button
          type="button"
          class="ev-button ev-small"
          aria-pressed={status === "finished"}
          aria-label={`${video} is finished`}
          onClick={() => view.finish(video, status !== "finished")}
        >
          <span>Finished</span>
        </button>
      </div>
    </li>
  );
}

function Picture({ view, video }: { view: View; video: string }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  useEffect(() => {
    const element = canvas.current;
    if (!element) return;
    const observer = new IntersectionObserver(async ([{ isIntersecting }]) => {
      if (!isIntersecting) return;
      const picture = await view.picture(video);
      if (!picture) return;
      observer.disconnect();
      element.width = picture.width;
      element.height = picture.height;
      element.getContext("2d")?.drawImage(picture, 0, 0);
    });
    observer.observe(element);
    return () => observer.disconnect();
  }, [view, video]);
  return (
    <canvas
      ref={canvas}
      class="evq-picture"
      width={160}
      height={90}
      role="img"
      aria-label={`First frame of ${video}`}
    />
  );
}
