/** What the policy thought of each type, what followed, what was tried, and where two disagree. */

import { seconds } from "../ui/format";
import { nameAmong } from "../ui/object-names";
import type { ComparedRow, State } from "./messages";
import type { View } from "./view";
import { inThousand, number, rise, THOUSAND, what } from "./words";

export function Types({ view }: { view: View }) {
  const told = view.told.value;
  if (!told?.types.length) return null;
  return (
    <table class="evp-table">
      <caption>
        Types, on frame {(told.made ?? told.asked)?.frame}
        {told.value !== null && <>; value {number(told.value, 4)}</>}
      </caption>
      <thead>
        <tr>
          <th scope="col">type</th>
          <th scope="col">probability</th>
          <th scope="col">gain of the {told.gain_of}</th>
          <th scope="col">cost</th>
          <th scope="col">gain {THOUSAND}</th>
        </tr>
      </thead>
      <tbody>
        {told.types.map(({ kind, probability, gain, seconds: cost, per_second }) => (
          <tr key={kind} data-chosen={kind === told.asked?.kind ? "" : undefined}>
            <th scope="row">{kind}</th>
            <td>
              <span class="evp-bar" style={{ width: `${Math.round(probability * 60)}px` }} />{" "}
              {number(probability, 2)}
            </td>
            <td>{rise(gain)}</td>
            <td>{cost === null ? "–" : seconds(cost)}</td>
            <td>{inThousand(per_second)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

export function RewardTable({ view }: { view: View }) {
  const told = view.told.value;
  const { reward, made } = told ?? {};
  const objects = view.kernel.state.value?.objects ?? [];
  if (!reward) return null;
  const rows: [string, string, string, string][] = [
    [
      "predicted J&F of the video",
      number(reward.predicted_before),
      number(reward.predicted_after),
      rise(reward.predicted_gain),
    ],
  ];
  if (reward.true_gain !== null)
    rows.push([
      "true J&F of the video",
      number(reward.true_before),
      number(reward.true_after),
      rise(reward.true_gain),
    ]);
  return (
    <table class="evp-table">
      <caption>
        What followed: {seconds(reward.seconds)}, {seconds(reward.spent)} in all
        {reward.reward !== null && (
          <>
            ; reward {rise(reward.frame_gain)} of the frame / {seconds(reward.spent)} ={" "}
            {inThousand(reward.reward)} {THOUSAND}
          </>
        )}
      </caption>
      <thead>
        <tr>
          <th scope="col">{made && nameAmong(made.object, objects)}</th>
          <th scope="col">before</th>
          <th scope="col">after</th>
          <th scope="col">rise</th>
        </tr>
      </thead>
      <tbody>
        {rows.map(([name, ...cells]) => (
          <tr key={name}>
            <th scope="row">{name}</th>
            {cells.map((cell, i) => (
              <td key={i}>{cell}</td>
            ))}
          </tr>
        ))}
      </tbody>
    </table>
  );
}

export function WhatIf({ view }: { view: View }) {
  const state = view.kernel.state.value;
  const job = view.job.value;
  if (!state) return null;
  const running = job.phase === "running";
  const tried = state.branches.filter(({ round }) => round === view.round.value);
  return (
    <section class="evp-what-if" aria-label="What if">
      <p class="evp-line-of">
        <strong>What if</strong> it were
        <select
          class="ev-field"
          aria-label="Type of annotation"
          value={view.kind.value}
          onChange={(event) => {
            view.kind.value = event.currentTarget.value;
          }}
        >
          {state.kinds.map((kind) => (
            <option key={kind}>{kind}</option>
          ))}
        </select>
        on frame {view.synced.frame.value}?
        <button
          type="button"
          class="ev-button ev-small ev-primary"
          disabled={running || !state.truth}
          onClick={() => view.whatIf()}
        >
          <span>Try it</span>
        </button>
        {running && (
          <>
            <progress
              class="ev-progress"
              value={job.done}
              max={Math.max(1, job.total)}
              aria-label="Frames of the branch"
            />
            <button
              type="button"
              class="ev-button ev-small ev-outlined"
              onClick={() => view.cancel()}
            >
              <span>Give it up</span>
            </button>
          </>
        )}
        <span class="evp-soft" role="status">
          {job.phase === "failed" || job.phase === "cancelled" ? job.message : ""}
        </span>
      </p>
      {!state.truth && (
        <p class="evp-soft">
          The robot finds out what would follow, and answers from the truth, which was not given:
          PolicyExplorer(session, ground_truth=…).
        </p>
      )}
      {tried.length > 0 && (
        // biome-ignore lint/a11y/noNoninteractiveTabindex: whoever has no mouse scrolls it by keys
        <div class="evp-scroll" tabIndex={0} role="region" aria-label="What was tried">
          <Branches view={view} />
        </div>
      )}
    </section>
  );
}

function Branches({ view }: { view: View }) {
  const state = view.kernel.state.value;
  const told = view.told.value;
  const tried = state?.branches.filter(({ round }) => round === view.round.value) ?? [];
  const { reward, made } = told ?? {};
  const objects = state?.objects ?? [];
  return (
    <table class="evp-table">
      <caption>Tried by the robot beside what was made, true J&amp;F</caption>
      <thead>
        <tr>
          <th scope="col">annotation</th>
          <th scope="col">cost</th>
          <th scope="col">rise of the frame</th>
          <th scope="col">rise of the video</th>
          <th scope="col">video, {THOUSAND}</th>
        </tr>
      </thead>
      <tbody>
        {made && reward && (
          <tr data-chosen="">
            <th scope="row">{what(made, objects)} (made)</th>
            <td>{seconds(made.seconds)}</td>
            <td>{rise(reward.frame_gain)}</td>
            <td>{rise(reward.true_gain)}</td>
            <td>
              {inThousand(reward.true_gain === null ? null : reward.true_gain / made.seconds)}
            </td>
          </tr>
        )}
        {tried.map((branch, i) => (
          <tr key={i}>
            <th scope="row">{what(branch, objects)}</th>
            <td>{seconds(branch.seconds)}</td>
            <td>
              {branch.frame_before === null || branch.frame_after === null
                ? "–"
                : rise(branch.frame_after - branch.frame_before)}
            </td>
            <td>{rise(branch.gain)}</td>
            <td>{inThousand(branch.per_second)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

export function Comparison({ view }: { view: View }) {
  const state = view.kernel.state.value;
  if (!state?.comparison) return null;
  const { objects, comparison } = state;
  const { names, rows } = comparison;
  const first = rows.find((row) => row.first_disagreement);
  return (
    <section class="evp-two" aria-label="Two policies">
      <p class="evp-line-of">
        {rows.length === 0
          ? "The second policy is being asked …"
          : first
            ? `They disagree first in round ${first.round}; rounds in which they do are outlined above.`
            : "They agree in every round."}
        {first && (
          <button
            type="button"
            class="ev-button ev-small ev-outlined"
            onClick={() => view.goTo(first.round)}
          >
            <span>Show round {first.round}</span>
          </button>
        )}
      </p>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: whoever has no mouse scrolls it by keys */}
      <div class="evp-scroll" tabIndex={0} role="region" aria-label="Two policies round by round">
        <table class="evp-table">
          <thead>
            <tr>
              <th scope="col">round</th>
              {names.map((name) => (
                <th key={name} scope="col">
                  {name}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {rows.map((row) => (
              <tr
                key={row.round}
                data-apart={row.same ? undefined : ""}
                aria-current={row.round === view.round.value ? "true" : undefined}
              >
                <th scope="row">{row.round}</th>
                <td>{said(row.first, objects)}</td>
                <td>{said(row.second, objects)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}

const said = (choice: ComparedRow["first"], objects: State["objects"]) =>
  choice ? what(choice, objects) : "nothing";
