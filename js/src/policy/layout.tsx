/** The policy explorer from top to bottom: the rounds, the strip, the map, the numbers. */

import { nameAmong } from "../ui/object-names";
import { Trouble } from "../ui/trouble";
import { FrameMap } from "./map";
import type { State } from "./messages";
import { Picture } from "./picture";
import { Key, Strip } from "./strip";
import { Comparison, RewardTable, Types, WhatIf } from "./tables";
import type { View } from "./view";
import { reason, summary, what } from "./words";

export function Layout({ view }: { view: View }) {
  const state = view.kernel.state.value;
  const told = view.told.value;
  if (!state) {
    return (
      <div class="ev-panel evp-layout">
        {!view.kernel.gone.value && "Waiting for the kernel …"}
        <Trouble kernel={view.kernel} />
      </div>
    );
  }
  return (
    <div class="ev-panel evp-layout">
      <Head view={view} state={state} />
      <Rounds view={view} state={state} />
      <p class="evp-summary" role="status">
        {told ? summary(told, state.objects) : "Looking at this round …"}
        {told?.asked && <span class="evp-soft"> {reason(told.asked)}</span>}
      </p>
      <Strip view={view} />
      <Key view={view} />
      <div class="evp-body">
        <Picture view={view} />
        <FrameMap view={view} />
        <div class="evp-numbers">
          <Types view={view} />
          <RewardTable view={view} />
        </div>
      </div>
      <WhatIf view={view} />
      <Comparison view={view} />
      <Trouble kernel={view.kernel} />
    </div>
  );
}

function Head({ view, state }: { view: View; state: State }) {
  return (
    <header class="evp-head">
      <h2>
        {state.policy.join(" + ")} <span class="evp-soft">on {view.synced.video.value.name}</span>
      </h2>
      <label>
        Object{" "}
        <select
          class="ev-field"
          value={String(view.object.value)}
          onChange={(event) => view.synced.object.set(Number(event.currentTarget.value))}
        >
          {state.objects.map(({ id }) => (
            <option key={id} value={String(id)}>
              {nameAmong(id, state.objects)}
            </option>
          ))}
        </select>
      </label>
    </header>
  );
}

function Rounds({ view, state }: { view: View; state: State }) {
  const here = view.round.value;
  const apart = new Set(
    state.comparison?.rows.filter(({ same }) => !same).map(({ round }) => round),
  );
  return (
    <div
      class="evp-rounds"
      role="toolbar"
      aria-label="Rounds"
      onKeyDown={(event) => {
        const to = { ArrowLeft: here - 1, ArrowRight: here + 1, Home: 0, End: state.rounds.length }[
          event.key
        ];
        if (to === undefined) return;
        event.preventDefault();
        event.stopPropagation();
        view.goTo(to);
        const buttons = event.currentTarget.querySelectorAll("button");
        buttons[Math.min(Math.max(to, 0), buttons.length - 1)]?.focus();
      }}
    >
      {[...state.rounds, null].map((made, n) => (
        <button
          key={n}
          type="button"
          class="ev-button ev-small"
          tabIndex={n === here ? 0 : -1}
          aria-pressed={n === here}
          aria-label={`Round ${n}${made ? `: ${what(made, state.objects)}` : ", to come"}`}
          title={`${made ? what(made, state.objects) : "to come"}${apart.has(n) ? "; the policies disagree" : ""}`}
          data-kind={made?.kind}
          data-apart={apart.has(n) ? "" : undefined}
          onClick={() => view.goTo(n)}
        >
          <span>{made ? n : "next"}</span>
        </button>
      ))}
    </div>
  );
}
