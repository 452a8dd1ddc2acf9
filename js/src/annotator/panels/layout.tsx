/** Where everything stands. The stage itself is not drawn by the panels; it gets an element. */

import { useEffect, useRef } from "preact/hooks";
import { Help } from "../../ui/help";
import { Notice } from "../../ui/notice";
import type { App } from "../app";
import { describe } from "../editing/crosshair";
import { Surface } from "../editing/surface";
import { Awaited } from "./awaited";
import { Curve } from "./curve";
import { NextCard } from "./next-card";
import { Objects } from "./objects";
import { Status } from "./status";
import { Timeline } from "./timeline";
import { Toolbar } from "./toolbar";
import { Transport } from "./transport";

/** What the pointer does, for the sheet of keys. */
const POINTER: readonly [string, string][] = [
  ["Left click", "belongs to the object"],
  ["Right click, Shift or a finger that rests", "does not belong; erases, takes away"],
  ["Alt", "take the object under the pointer"],
  ["Wheel", "zoom where the pointer is"],
  ["Two fingers", "zoom and move the picture"],
  ["Space or middle button, drag", "move the picture"],
];

export function Layout({ app }: { app: App }) {
  return (
    <div class="ev-layout">
      <Toolbar app={app} />
      <Picture app={app} />
      <Notice kernel={app.kernel} after="you will be where you are now, with what is unfinished">
        <Awaited app={app} />
      </Notice>
      <Transport app={app} />
      <Timeline app={app} />
      <aside class="ev-side" aria-label="Suggestion, objects and quality">
        <NextCard app={app} />
        <Objects app={app} />
        <Curve app={app} />
      </aside>
      <Crosshair app={app} />
      <Status app={app} />
      {app.commands.sheetOpen.value && <Help commands={app.commands} pointer={POINTER} />}
    </div>
  );
}

function Picture({ app }: { app: App }) {
  const element = useRef<HTMLDivElement>(null);
  const { width, height } = app.synced.video.value;
  useEffect(() => {
    if (!element.current) return;
    app.surface = new Surface(
      element.current,
      {
        editor: app.editor,
        store: app.store,
        layer: app.layer,
        image: { width, height },
        picture: () => app.frames.get(app.store.shown.peek()),
        objects: () => app.kernel.objects.value,
        outlines: (frame) => app.outlines(frame),
        display: () => app.display.value,
        hold: () => app.navigation.hold(),
        painted: () => app.painted(),
        failed: (error) => app.kernel.fail(error),
      },
      app.signal,
    );
  }, [app, width, height]);
  return (
    <div
      ref={element}
      class="ev-stage"
      // biome-ignore lint/a11y/noNoninteractiveTabindex: drawing happens here, with keys too
      tabIndex={0}
      role="application"
      aria-label={label(app)}
      data-tool={app.editor.tool.value}
      data-cursor={cursor(app)}
      data-panning={app.store.panning.value}
      data-peeking={app.store.peeking.value}
      data-comparing={app.store.comparing.value}
      style={{ "--ev-aspect": `${width} / ${height}`, "--ev-ratio": width / height }}
    />
  );
}

/** What the pointer looks like: nothing where the brush's ring is drawn in its place. */
function cursor(app: App): "arrow" | "cross" | "locked" | "ring" {
  const { editor, store, synced } = app;
  if (synced.readOnly.value) return "arrow";
  const refuses = store.coarse.value && editor.objects.elsewhere.value;
  if (refuses || !editor.objects.canEdit.value) {
    return editor.tool.value === "pick" ? "cross" : "locked";
  }
  const ringless = store.crosshair.value || store.comparing.value || store.peeking.value;
  return editor.brushes.value && !ringless ? "ring" : "cross";
}

function label(app: App): string {
  const object = app.editor.objects.active.value;
  return [
    "Picture and masks",
    `frame ${app.store.shown.value}`,
    object ? `object ${app.editor.objects.called(object.id)}` : "no object yet",
    `tool ${app.editor.tool.value}`,
  ].join(", ");
}

/** Where the crosshair is, for those who listen. */
function Crosshair({ app }: { app: App }) {
  const at = app.store.crosshair.value;
  const here = at && app.editor.objectAt(at);
  return (
    <p class="ev-hidden" aria-live="polite">
      {at && describe(at, here ? app.editor.objects.called(here.id) : undefined)}
    </p>
  );
}
