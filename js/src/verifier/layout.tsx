/** The point verifier from top to bottom: the question, the two pictures, the keys, how far it is. */

import { useEffect, useRef } from "preact/hooks";
import { ActionButton } from "../ui/action-button";
import { Help } from "../ui/help";
import { Notice } from "../ui/notice";
import { PROPOSED } from "../ui/point-words";
import { Foot } from "./foot";
import type { ObjectInfo, Question } from "./messages";
import { Panes } from "./panes";
import type { Stage, View } from "./view";
import { outcome, putOff, SAID } from "./words";

/** What the pointer does, for the sheet of keys. */
const POINTER: readonly [string, string][] = [
  ["Wheel", "zoom where the pointer is"],
  ["Drag", "move the picture"],
];

export function Layout({ view }: { view: View }) {
  return (
    <div class="evv-layout">
      <header class="evv-head">
        <Heading view={view} />
        <ActionButton app={view} id="help" icon="help" />
      </header>
      <Pictures view={view} />
      <Notice kernel={view.kernel} after="it goes on where you are" />
      <Card view={view} />
      <Keys view={view} />
      <Foot view={view} />
      {view.commands.sheetOpen.value && <Help commands={view.commands} pointer={POINTER} />}
    </div>
  );
}

/** What is asked just now, or what goes on in place of a question. */
function Heading({ view }: { view: View }) {
  const object = view.current;
  const { question } = view;
  const stage = view.stage.value;
  const asks = stage === "question" && object && question && !view.reminding.value;
  return (
    <div class="evv-question">
      {asks ? (
        <Asked view={view} object={object} question={question} />
      ) : object && view.localises ? (
        <>
          <h2 class="ev-headline">This is {view.called(object)}.</h2>
          <p class="ev-text">
            The outline is rough. Say of single pixels whether they are on {view.called(object)},
            whatever the outline says.
          </p>
        </>
      ) : (
        <h2 class="ev-headline">
          {stage === "done" && view.open(true) > 0 ? "What is left was skipped" : TITLES[stage]}
        </h2>
      )}
    </div>
  );
}

interface AskedProps {
  view: View;
  object: ObjectInfo;
  question: Question;
}

function Asked({ view, object, question: [frame, , , region] }: AskedProps) {
  const said = view.answers.of(object, view.place.value);
  return (
    <>
      <h2 class="ev-headline">Is the marked pixel on {view.called(object)}?</h2>
      <p class="ev-text">
        {view.synced.readOnly.value && "This view is for looking only. "}
        <span class="evv-batch" data-region={region}>
          {PROPOSED[region]}
        </span>{" "}
        {view.place.value + 1} of {object.answers.length}, frame {frame}
        {said && (
          <strong class="evv-said" title="Answer again to change it">
            you said {SAID[said]}
          </strong>
        )}
      </p>
    </>
  );
}

/** Where there is neither a question nor an object to be seen. */
const TITLES: Partial<Record<Stage, string>> = {
  waiting: "Waiting for the kernel",
  proposing: "Finding points to ask about",
  failed: "No points could be proposed",
  paused: "Paused; the time does not count",
  behind: "Waiting until your answers are on disk",
  done: "Nothing is left to ask",
};

function Pictures({ view }: { view: View }) {
  const crop = useRef<HTMLDivElement>(null);
  const whole = useRef<HTMLDivElement>(null);
  const { width, height } = view.synced.video.value;
  useEffect(() => {
    if (!crop.current || !whole.current) return;
    view.panes = new Panes(crop.current, whole.current, view.sight, view.signal);
    view.panes.show();
  }, [view]);
  const style = { "--ev-aspect": `${width} / ${height}` };
  return (
    <div class="evv-panes" style={style}>
      <div
        ref={crop}
        class="ev-stage evv-crop"
        role="img"
        aria-label="The pixel in question, enlarged"
        data-cursor="arrow"
      />
      <div
        ref={whole}
        class="ev-stage evv-whole"
        // biome-ignore lint/a11y/noNoninteractiveTabindex: questions are answered here, with keys
        tabIndex={0}
        role="application"
        aria-label={`Whole frame ${view.frame ?? ""}`}
        data-cursor="arrow"
      />
    </div>
  );
}

/** Over the pictures, where there is no question to be seen. */
function Card({ view }: { view: View }) {
  const stage = view.stage.value;
  const state = view.kernel.state.value;
  if (stage === "proposing" && state) {
    return (
      <div class="evv-card" data-stage={stage}>
        <p class="ev-text">The masks are carried through the video, which takes a moment.</p>
        <progress
          class="ev-progress"
          value={state.done}
          max={Math.max(1, state.total)}
          aria-label="Frames gone through"
        />
      </div>
    );
  }
  if (stage === "failed") {
    const said = view.kernel.log.value.findLast(({ level }) => level === "error")?.message;
    return (
      <div class="evv-card" data-stage={stage}>
        <p class="ev-text">{said}</p>
      </div>
    );
  }
  if (stage !== "done" || !state) return null;
  return (
    <div class="evv-card" data-stage={stage} role="status">
      <p class="ev-text">{outcome(state, view.answered, view.open(true))}</p>
      {putOff(view.objects).map((object) => (
        <button
          key={object.id}
          type="button"
          class="ev-button"
          title={view.called(object)}
          onClick={() => view.take(object.id)}
        >
          Take <span class="ev-called">{view.called(object)}</span> up again
        </button>
      ))}
    </div>
  );
}

/** The answers, large, and the way. */
function Keys({ view }: { view: View }) {
  return (
    <div class="evv-keys">
      <Answers view={view} />
      <div class="ev-group" role="group" aria-label="Way">
        <ActionButton app={view} id="back" text="Back" showKey class="ev-small" />
        <ActionButton
          app={view}
          id="remind"
          text={view.reminding.value ? "Back to the point" : "Which object?"}
          showKey
          class="ev-small"
        />
        <ActionButton app={view} id="skip" text="Skip object" showKey class="ev-small" />
        {!view.paused.value && (
          <ActionButton app={view} id="pause" text="Pause" showKey class="ev-small" />
        )}
      </div>
    </div>
  );
}

/** The answers, or what leads to a question. */
function Answers({ view }: { view: View }) {
  const stage = view.stage.value;
  if (stage === "localisation") {
    return (
      <ActionButton app={view} id="begin" text="Begin" showKey class="evv-answer ev-primary" />
    );
  }
  if (stage === "paused") {
    return (
      <ActionButton app={view} id="pause" text="Go on" showKey class="evv-answer ev-primary" />
    );
  }
  return (
    <div class="evv-answers" role="group" aria-label="Answer">
      <ActionButton app={view} id="answer.positive" text="Yes" showKey class="evv-answer" />
      <ActionButton app={view} id="answer.negative" text="No" showKey class="evv-answer" />
      <ActionButton app={view} id="answer.unknown" text="Cannot tell" showKey class="evv-answer" />
    </div>
  );
}
