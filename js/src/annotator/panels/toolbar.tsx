/**
 * Two rows above the picture: the tools, history and what takes the masks away; and below them
 * how the tool in hand is used and how the picture is shown.
 */

import { useEffect, useRef } from "preact/hooks";
import { ADDED, REMOVED } from "../../masks/label-paint";
import { ActionButton } from "../../ui/action-button";
import { Icon } from "../../ui/icons";
import { display } from "../../ui/key-names";
import { rove } from "../../ui/roving";
import type { App } from "../app";
import { PAINTED } from "../editing/layers";
import type { Tool } from "../messages";
import { ExportMenu } from "./export-menu";

export function Toolbar({ app }: { app: App }) {
  const editable = !app.synced.readOnly.value;
  const element = useRef<HTMLDivElement>(null);
  useEffect(() => (element.current ? rove(element.current) : undefined), []);
  return (
    <div ref={element} class="ev-toolbar" role="toolbar" aria-label="Tools and view">
      {editable && (
        <div class="ev-segments" role="group" aria-label="Tool">
          <ActionButton app={app} id="tool.clicks" icon="points" text="Points" />
          <ActionButton app={app} id="tool.scribble" icon="scribble" text="Scribble" />
          <ActionButton app={app} id="tool.box" icon="box" text="Box" />
          <ActionButton app={app} id="tool.brush" icon="brush" text="Brush" />
          <ActionButton app={app} id="tool.eraser" icon="eraser" text="Eraser" />
          <ActionButton app={app} id="tool.polygon" icon="polygon" text="Polygon" />
          <ActionButton app={app} id="tool.fill" icon="fill" text="Fill" />
          <ActionButton app={app} id="tool.pick" icon="pick" text="Pick" />
        </div>
      )}
      <span class="ev-spring" />
      {editable && (
        <div class="ev-group">
          <ActionButton
            app={app}
            id="undo"
            icon="undo"
            detail={app.editor.history.undoLabel.value}
          />
          <ActionButton
            app={app}
            id="redo"
            icon="redo"
            detail={app.editor.history.redoLabel.value}
          />
        </div>
      )}
      <div class="ev-group">
        <ExportMenu app={app} />
        <ActionButton app={app} id="help" icon="help" />
      </div>
      <div class="ev-row">
        {editable && <ToolSettings app={app} />}
        <Comparisons app={app} />
        <span class="ev-spring" />
        <div class="ev-group" role="group" aria-label="View">
          <Opacity app={app} />
          <ActionButton app={app} id="view.outline" icon="outline" />
          <ActionButton app={app} id="view.onion" icon="onion" />
          <ActionButton app={app} id="view.difference" icon="difference" />
          <ActionButton app={app} id="view.davis" icon="palette" />
          <ActionButton app={app} id="view.fit" icon="fit" />
          <ActionButton app={app} id="view.actual" icon="actual" />
          <ActionButton app={app} id="crosshair" icon="crosshair" />
          <ActionButton app={app} id="view.whole" icon="whole" />
        </div>
      </div>
    </div>
  );
}

/** How the pointer uses each tool; the crosshair's keys are told where it is shown. */
const HINTS: Record<Tool, string> = {
  clicks: "Left click: the object; right click: not the object.",
  scribble: "Drag over the object; with the right button, over what is not.",
  box: "Drag from corner to corner.",
  brush: "Drag to paint; with the right button to erase.",
  eraser: "Drag to erase.",
  polygon: "Click corners, right click takes away; double click closes, drag moves.",
  fill: "Click a hole to fill it; right click a piece to take it away.",
  pick: "Click an object to take it in hand.",
};

/** The same where there is no pointer but a finger. */
const FINGER_HINTS: Record<Tool, string> = {
  clicks: "Tap: the object; rest the finger: not the object.",
  scribble: "Drag over the object; rest first, then over what is not.",
  box: "Drag from corner to corner.",
  brush: "Drag to paint; rest first to erase.",
  eraser: "Drag to erase.",
  polygon: "Tap corners, rest to take away; double tap closes, drag moves.",
  fill: "Tap a hole to fill it; rest on a piece to take it away.",
  pick: "Tap an object to take it in hand.",
};

function ToolSettings({ app }: { app: App }) {
  const tool = app.editor.tool.value;
  // While masks are compared, what their signs mean has the room, unless the hand needs a word.
  const { difference, onion } = app.display.value;
  const busy = app.store.crosshair.value || app.editor.drafts.current.value?.path;
  const hinted = busy || !(difference || onion);
  return (
    <>
      {(tool === "brush" || tool === "eraser") && <BrushSize app={app} />}
      {(tool === "clicks" || tool === "scribble") && app.kernel.capabilities.value?.together && (
        <ActionButton app={app} id="together" text="Together" />
      )}
      {hinted && <span class="ev-hint ev-tool-hint">{hint(app)}</span>}
    </>
  );
}

function hint(app: App) {
  if (app.store.crosshair.value) {
    const key = (id: string) => (
      <kbd class="ev-key">{display(app.commands.keyFor(id) || "none")}</kbd>
    );
    return (
      <>
        Arrows move, Shift far, {key("crosshair.place")} uses the tool,{" "}
        {key("crosshair.place.negative")} the other way
        {app.editor.brushes.value && <>, {key("crosshair.stroke")} a line</>}
      </>
    );
  }
  const finger = matchMedia("(pointer: coarse)").matches;
  const path = app.editor.drafts.current.value?.path;
  if (path) {
    const does = path.value === PAINTED ? "adds to the mask" : "takes away from the mask";
    const close = finger
      ? "tap its first corner, or twice,"
      : "click its first corner, double-click or press Enter";
    return `This outline ${does}; ${close} to close.`;
  }
  return (finger ? FINGER_HINTS : HINTS)[app.editor.tool.value];
}

/** What the signs of a comparison mean; without it they are only colours. */
function Comparisons({ app }: { app: App }) {
  const { difference, onion } = app.display.value;
  if (!difference && !onion) return null;
  return (
    <span class="ev-legend">
      {difference && (
        <>
          <span class="ev-legend-added" style={{ "--ev-object": ADDED }}>
            added
          </span>
          <span class="ev-legend-removed" style={{ "--ev-object": REMOVED }}>
            removed
          </span>
        </>
      )}
      {onion && (
        <>
          <span class="ev-legend-before">frame before</span>
          <span class="ev-legend-after">frame after</span>
        </>
      )}
    </span>
  );
}

/** The other arrows go on through the toolbar. */
const SLIDES = "with the focus, ↑ and ↓ change it";

function BrushSize({ app }: { app: App }) {
  const size = app.store.brushSize;
  return (
    <label
      class="ev-range"
      title={app.commands.withKey(
        `Brush size in image pixels; ${SLIDES}`,
        "brush.smaller",
        "brush.larger",
      )}
    >
      <span class="ev-hidden">Brush size in pixels</span>
      <input
        type="range"
        min="0"
        max="100"
        value={Math.round(Math.sqrt((size.value - 1) / 399) * 100)}
        aria-valuetext={`${size.value} pixels`}
        onInput={(event) => {
          size.value = Math.round(1 + 399 * (Number(event.currentTarget.value) / 100) ** 2);
        }}
      />
      <output class="ev-number" aria-hidden="true">
        {size.value}
      </output>
    </label>
  );
}

function Opacity({ app }: { app: App }) {
  const { opacity } = app.display.value;
  return (
    <label
      class="ev-range"
      title={app.commands.withKey(
        `Opacity of the masks; ${SLIDES}`,
        "view.fainter",
        "view.stronger",
      )}
    >
      <Icon name="opacity" />
      <span class="ev-hidden">Opacity of the masks</span>
      <input
        type="range"
        min="0"
        max="100"
        step="5"
        value={Math.round(opacity * 100)}
        aria-valuetext={`${Math.round(opacity * 100)} percent`}
        onInput={(event) => app.show({ opacity: Number(event.currentTarget.value) / 100 })}
      />
    </label>
  );
}
