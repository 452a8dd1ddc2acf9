/** The line at the foot: what is saved, what we wait for, and every message there was. */

import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { ActionButton } from "../../ui/action-button";
import { ago } from "../../ui/format";
import type { LogLine } from "../../wire/catalogue";
import type { App } from "../app";

/** Milliseconds. */
const SHOWN_FOR = 8000;

export function Status({ app }: { app: App }) {
  const { kernel, store } = app;
  const log = kernel.log.value;
  const trouble = log.findLast((line) => line.level === "error");
  // The same words again are told by their number: an alert that does not change is not heard.
  const times = log.filter((line) => line.level === "error" && line.message === trouble?.message);
  const told = times.length > 1 ? `${trouble?.message} (${times.length} times)` : trouble?.message;
  return (
    <>
      {store.logOpen.value && <Log log={log} />}
      <div class="ev-status">
        <Saved app={app} />
        <Announcement app={app} />
        <span class="ev-spring" />
        <span class="ev-busy" role="status">
          {kernel.busy.value && "The kernel is busy; this will be done when it is free."}
        </span>
        <span class={store.logOpen.value ? "ev-hidden" : "ev-trouble"} role="alert" title={told}>
          {told}
        </span>
        <ActionButton
          app={app}
          id="log"
          text={log.length > 0 ? `Messages ${log.length}` : "Messages"}
          class="ev-small"
        />
      </div>
    </>
  );
}

/** What was just done; it steps back after a while. */
function Announcement({ app }: { app: App }) {
  const said = app.store.announcement;
  useEffect(() => {
    const timer = setTimeout(() => {
      said.value = "";
    }, SHOWN_FOR);
    return () => clearTimeout(timer);
  }, [said, said.value]);
  return (
    <span class="ev-announcement" role="status">
      {said.value}
    </span>
  );
}

function Saved({ app }: { app: App }) {
  const { saved = null, kept = true } = app.kernel.state.value ?? {};
  const now = useSignal(Date.now() / 1000);
  useEffect(() => {
    now.value = Date.now() / 1000;
    const timer = setInterval(() => {
      now.value = Date.now() / 1000;
    }, 5000);
    return () => clearInterval(timer);
  }, [saved, now]);
  const waiting = app.editor.drafts.unfinished.value.length;
  const saving = app.editor.drafts.saving.value.length > 0;
  const never = kept ? "nothing saved yet" : "in memory only, without a path";
  return (
    <span class="ev-saved">
      {saving ? "saving …" : saved === null ? never : `saved ${ago(now.value - saved)}`}
      {waiting > 0 && `, ${waiting} unfinished`}
    </span>
  );
}

function Log({ log }: { log: readonly LogLine[] }) {
  return (
    <section class="ev-log" aria-label="Messages">
      {log.length === 0 ? (
        <p class="ev-text ev-quiet">No messages.</p>
      ) : (
        <ol class="ev-log-lines">
          {log.toReversed().map((line, index) => (
            <li key={log.length - index} data-level={line.level}>
              <time class="ev-quiet">{new Date(line.time * 1000).toLocaleTimeString("en-GB")}</time>
              {line.level !== "info" && <strong>{line.level}</strong>}
              <span>{line.message}</span>
            </li>
          ))}
        </ol>
      )}
    </section>
  );
}
