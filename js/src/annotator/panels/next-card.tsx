/** What to do next, and why: the agent's suggestion in a few lines, or the first steps. */

import { ActionButton } from "../../ui/action-button";
import { J_AND_F, quality, seconds } from "../../ui/format";
import { PROPOSED } from "../../ui/point-words";
import { atSuggestion, take } from "../actions/loop";
import { canVerify } from "../actions/points";
import type { App } from "../app";
import type { AskedPoint } from "../editing/verifying";
import type { Suggestion } from "../messages";

/** Annotation types as the paper words them. */
const TASKS: Record<string, string> = {
  clicks: "three clicks",
  mask: "draw the mask",
  box: "a box",
  scribble: "a scribble",
  points: "verify points",
  absent: "say that it is absent",
};

/** What the hand does once the frame is there. */
const HOW: Record<string, string> = {
  clicks: "Click what is wrong.",
  mask: "Paint it right.",
  box: "Draw a box.",
  points: "Say of ten pixels whether they are on it.",
  absent: "If it is not in the picture, say so; else draw it.",
};

export function NextCard({ app }: { app: App }) {
  const state = app.kernel.state.value;
  const suggestion = state?.suggestion ?? null;
  return (
    <section class="ev-card ev-next" aria-labelledby="ev-next-title">
      <h2 id="ev-next-title" class="ev-title">
        Next
      </h2>
      {app.editor.verifying.asked.value ? (
        <Asked app={app} asked={app.editor.verifying.asked.value} />
      ) : app.editor.drafts.kind.value !== "none" ? (
        <UnderWay app={app} />
      ) : suggestion ? (
        <SuggestionBody app={app} suggestion={suggestion} />
      ) : (
        <p class="ev-text">{firstSteps(app)}</p>
      )}
    </section>
  );
}

/** A proposed point is to be verified: its pixel is marked in the picture. */
function Asked({ app, asked }: { app: App; asked: AskedPoint }) {
  const object = app.editor.objects.active.value;
  return (
    <>
      <p class="ev-headline">
        Is the marked pixel on {object && app.editor.objects.called(object.id)}?
      </p>
      <p class="ev-text" aria-live="polite">
        {asked.place + 1} of {asked.of}, {PROPOSED[asked.region]}
      </p>
      <div class="ev-group ev-fill ev-point-answers">
        <ActionButton app={app} id="point.positive" text="Yes" showKey />
        <ActionButton app={app} id="point.negative" text="No" showKey />
        <ActionButton app={app} id="point.unknown" text="Cannot tell" showKey />
        <ActionButton app={app} id="points.stop" text="Stop" showKey />
      </div>
    </>
  );
}

/** The hand has begun something: what comes after it is not for now. */
function UnderWay({ app }: { app: App }) {
  const object = app.editor.objects.active.value;
  return (
    <>
      <p class="ev-headline">
        Frame {app.store.shown.value}
        {object ? `, ${app.editor.objects.called(object.id)}` : ""}: yours, not saved yet
      </p>
      <p class="ev-text">Commit it where it is right; what to do next is said after that.</p>
    </>
  );
}

function SuggestionBody({ app, suggestion }: { app: App; suggestion: Suggestion }) {
  const { frame, object, annotation_type, reason, predicted, expected_gain, gain_of } = suggestion;
  const many = app.kernel.objects.value.length > 1;
  return (
    <>
      <p class="ev-headline">
        Frame {frame}
        {many ? `, ${app.editor.objects.called(object)}` : ""}:{" "}
        {TASKS[annotation_type] ?? annotation_type}
      </p>
      <p class="ev-text">{reason}</p>
      <dl class="ev-facts">
        {predicted !== null && (
          <div>
            <dt title={J_AND_F}>predicted J&amp;F</dt>
            <dd>{quality(predicted)}</dd>
          </div>
        )}
        <div>
          <dt title={`J&F of the ${gain_of}`}>expected gain</dt>
          <dd>+{quality(expected_gain)}</dd>
        </div>
        <div>
          <dt>your time</dt>
          <dd>{seconds(suggestion.seconds)}</dd>
        </div>
      </dl>
      {atSuggestion(app) && (
        <p class="ev-here">
          {annotation_type === "points" && !canVerify(app)
            ? "There is no mask to ask about yet: click on it."
            : (HOW[annotation_type] ?? "Correct it and commit.")}
        </p>
      )}
      <div class="ev-group ev-fill">
        {atSuggestion(app) ? (
          <Agree app={app} kind={annotation_type} />
        ) : (
          <ActionButton app={app} id="suggestion.go" text="Go there" showKey class="ev-primary" />
        )}
        <ActionButton app={app} id="suggestion.later" text="Not now" showKey />
      </div>
      <Alternatives app={app} />
    </>
  );
}

/** What ends the suggestion at once: the mask is right as it is, or the object is absent. */
const Agree = ({ app, kind }: { app: App; kind: string }) =>
  kind === "absent" ? (
    <ActionButton app={app} id="mark.absent" text="It is absent" showKey class="ev-primary" />
  ) : kind === "points" && canVerify(app) ? (
    <ActionButton app={app} id="points.verify" text="Verify 10 points" showKey class="ev-primary" />
  ) : (
    <ActionButton app={app} id="mark.verified" text="It is right" showKey />
  );

/** Frames that would come next; the person knows better where to look at times. */
function Alternatives({ app }: { app: App }) {
  const others = app.kernel.state.value?.alternatives ?? [];
  const verifies = atSuggestion(app) && canVerify(app);
  const offered = verifies && app.kernel.state.value?.suggestion?.annotation_type !== "points";
  if ((others.length === 0 && !offered) || app.synced.readOnly.value) return null;
  const many = app.kernel.objects.value.length > 1;
  const called = (object: number) => app.editor.objects.called(object);
  return (
    <div class="ev-instead">
      <span class="ev-quiet">or</span>
      {offered && (
        <ActionButton app={app} id="points.verify" text="verify 10 points" class="ev-small" />
      )}
      {others.map((other) => (
        <button
          key={`${other.frame}:${other.object}`}
          type="button"
          class="ev-button ev-small"
          data-instead={other.frame}
          title={`frame ${other.frame}, ${called(other.object)}, ${TASKS[other.annotation_type] ?? other.annotation_type}: ${other.reason}`}
          onClick={() => take(app, other)}
        >
          {many && `${other.frame}, `}
          <span class="ev-called">{many ? called(other.object) : `frame ${other.frame}`}</span>
        </button>
      ))}
    </div>
  );
}

function firstSteps(app: App): string {
  const state = app.kernel.state.value;
  if (!state) return "Waiting for the kernel.";
  if (app.synced.readOnly.value) return "This view is for looking only.";
  if (state.annotated.length === 0) {
    return app.editor.tool.value === "brush"
      ? "Find a frame that shows the object well, paint over it, and commit."
      : "Find a frame that shows the object well, click on it, and commit.";
  }
  const { phase } = app.kernel.job.value;
  if (phase === "paused") return "Paused. Correct what you see; the pass takes it in.";
  if (phase !== "idle") return "Masks are on their way.";
  if (state.stale.length > 0) return "Propagate to carry your masks through the video.";
  return "Nothing is left to ask. Export, or correct any frame you like.";
}
