/** Which part of the video a pass shall cover: from here on, back to the start, or a range. */

import { useSignal } from "@preact/signals";
import { ActionButton } from "../../ui/action-button";
import { propagate } from "../actions/loop";
import type { App } from "../app";

export function PassMenu({ app, primary }: { app: App; primary: boolean }) {
  const open = app.store.passOpen;
  return (
    // Focus leaving the menu closes it; its fields and buttons take the keys themselves.
    <div
      class="ev-split-end"
      onFocusOut={(event) => {
        if (!event.currentTarget.contains(event.relatedTarget as Node | null)) open.value = false;
      }}
    >
      <ActionButton app={app} id="job.part" icon="more" class={primary ? "ev-primary" : ""} />
      {open.value && (
        <div class="ev-menu ev-menu-up" role="group" aria-label="Propagate a part">
          <ActionButton
            app={app}
            id="job.backward"
            text="Back to the start"
            showKey
            class="ev-row"
          />
          <ActionButton app={app} id="job.forward" text="On to the end" showKey class="ev-row" />
          <Range app={app} />
        </div>
      )}
    </div>
  );
}

function Range({ app }: { app: App }) {
  const { navigation } = app;
  const here = navigation.frame.value;
  const last = navigation.count - 1;
  const first = useSignal(String(here));
  const end = useSignal(String(Math.min(last, here + 24)));
  const numbers = [first, end].map((text) => (text.value.trim() === "" ? -1 : Number(text.value)));
  const fits = numbers.every((n) => Number.isInteger(n) && n >= 0 && n <= last);
  const field = (name: string, text: typeof first) => (
    <input
      class="ev-field"
      type="number"
      min="0"
      max={last}
      aria-label={name}
      value={text.value}
      onInput={(event) => {
        text.value = event.currentTarget.value;
      }}
    />
  );
  return (
    <form
      class="ev-menu-form"
      onSubmit={(event) => {
        event.preventDefault();
        if (!fits) return;
        app.store.passOpen.value = false;
        app.attempt(propagate(app, [Math.min(...numbers), Math.max(...numbers)]));
        app.canvas?.focus();
      }}
    >
      frames {field("First frame", first)} to {field("Last frame", end)}
      <button type="submit" class="ev-button ev-small ev-primary" disabled={!fits}>
        <span>Go</span>
      </button>
    </form>
  );
}
