/** The row under the picture: where in the video, what is unfinished, and the pass. */

import { useSignal } from "@preact/signals";
import { ActionButton } from "../../ui/action-button";
import { seconds } from "../../ui/format";
import { composes } from "../../ui/key-names";
import type { App } from "../app";
import type { Question } from "../editing/annotations";
import { PassMenu } from "./pass-menu";

export function Transport({ app }: { app: App }) {
  return (
    <div class="ev-transport">
      <div class="ev-group" role="group" aria-label="Frames">
        <ActionButton app={app} id="frame.previous" icon="previous" />
        <ActionButton app={app} id="play" icon={app.store.playing.value ? "pause" : "play"} />
        <ActionButton app={app} id="frame.next" icon="next" />
        <FrameNumber app={app} />
      </div>
      <span class="ev-spring" />
      {app.kernel.job.value.phase !== "idle" && <Running app={app} />}
      <Work app={app} />
    </div>
  );
}

function Work({ app }: { app: App }) {
  const { drafts, annotations } = app.editor;
  const question = annotations.question.value;
  if (question) return <Asked app={app} question={question} />;
  return drafts.kind.value !== "none" ? <Unfinished app={app} /> : <Finished app={app} />;
}

/** A commit would take pixels from other objects: the person says whether it may. */
function Asked({ app, question }: { app: App; question: Question }) {
  const words = `Takes ${taken(app, question.takes)}`;
  return (
    <div class="ev-group ev-unfinished" role="group" aria-label="Pixels of other objects">
      <strong class="ev-asked" role="alert" title={words}>
        {words}
      </strong>
      <ActionButton app={app} id="question.leave" text="Leave them" showKey class="ev-primary" />
      <ActionButton app={app} id="question.take" text="Take them" showKey />
      <ActionButton app={app} id="question.drop" icon="close" />
    </div>
  );
}

/** From whom how many pixels are taken. */
function taken(app: App, takes: Question["takes"]): string {
  return takes
    .map(
      ([id, pixels]) =>
        `${pixels.toLocaleString("en")} ${pixels === 1 ? "pixel" : "pixels"} from ${app.editor.objects.called(id)}`,
    )
    .join(", ");
}

/** The frame, counted from 0 as in Python. News from the kernel does not write over a number being typed. */
function FrameNumber({ app }: { app: App }) {
  const typed = useSignal<string | null>(null);
  const { count, frame } = app.navigation;
  return (
    <label class="ev-frame">
      <span class="ev-hidden">Frame</span>
      <input
        class="ev-field"
        type="number"
        min="0"
        max={count - 1}
        value={typed.value ?? frame.value}
        onInput={(event) => {
          typed.value = event.currentTarget.value;
        }}
        onChange={(event) => {
          typed.value = null;
          const { value } = event.currentTarget;
          if (value !== "") app.navigation.jump(Number(value));
        }}
        onBlur={() => {
          typed.value = null;
        }}
        onKeyDown={(event) => {
          // The number is given: the keys are for the picture again.
          if (event.key === "Enter" && !composes(event)) app.canvas?.focus();
        }}
      />
      <span class="ev-quiet">/ {count - 1}</span>
    </label>
  );
}

function Unfinished({ app }: { app: App }) {
  const { editor } = app;
  const score = editor.drafts.score.value;
  const takes = editor.drafts.takes.value;
  const also = takes.length > 0 ? `, takes ${taken(app, takes)}` : "";
  const words = editor.drafts.predicting.value
    ? "looking …"
    : score !== null
      ? `looks ${Math.round(score * 100)} % right${also}`
      : "not saved yet";
  return (
    <div class="ev-group ev-unfinished" role="group" aria-label="Work in progress">
      <span class="ev-quiet ev-wide-only" title={words}>
        {words}
      </span>
      <ActionButton app={app} id="discard" text="Discard" showKey />
      <ActionButton app={app} id="commit.propagate" icon="propagate" text="Commit and propagate" />
      <ActionButton app={app} id="commit" text="Commit" showKey class="ev-primary" />
    </div>
  );
}

/** Nothing is unfinished: what can be said of the frame without drawing, and the next pass. */
function Finished({ app }: { app: App }) {
  const { phase } = app.kernel.job.value;
  if (app.synced.readOnly.value) return null;
  // The row keeps its height while a pass takes the room.
  const words = (text: string) => (phase === "idle" ? text : undefined);
  const waits = (app.kernel.state.value?.stale.length ?? 0) > 0;
  return (
    <div class="ev-group" role="group" aria-label="This frame, and the next pass">
      {phase === "idle" && app.commands.isEnabled("annotation.remove") && (
        <ActionButton app={app} id="annotation.remove" icon="remove" text="Take back" />
      )}
      {app.editor.objects.active.value && (
        <>
          <ActionButton app={app} id="mark.absent" icon="absent" text={words("Absent")} />
          <ActionButton app={app} id="mark.verified" icon="check" text={words("Accept")} />
        </>
      )}
      {phase === "idle" && (
        <span class="ev-split ev-menu-anchor">
          <ActionButton
            app={app}
            id="job.start"
            icon="propagate"
            text="Propagate"
            class={waits ? "ev-primary" : ""}
          />
          <PassMenu app={app} primary={waits} />
        </span>
      )}
    </div>
  );
}

function Running({ app }: { app: App }) {
  const { phase, done, total, remaining_seconds, message } = app.kernel.job.value;
  const part = total > 0 ? done / total : 0;
  const words = { paused: "paused", cancelling: "stopping …" }[phase as string];
  return (
    <div class="ev-group ev-pass" role="group" aria-label="Propagation">
      <span class="ev-quiet ev-wide-only">{words ?? (message || "propagating")}</span>
      <progress class="ev-progress" max={1} value={part} aria-label="Propagation" />
      <span class="ev-number">{Math.floor(part * 100)} %</span>
      {remaining_seconds !== null && phase === "running" && (
        <span class="ev-quiet ev-left">{seconds(Math.ceil(remaining_seconds))} left</span>
      )}
      <ActionButton
        app={app}
        id="job.pause"
        icon={phase === "paused" ? "play" : "pause"}
        text={phase === "paused" ? "Go on" : "Pause"}
      />
      <ActionButton app={app} id="job.stop" icon="stop" text="Stop" showKey />
    </div>
  );
}
