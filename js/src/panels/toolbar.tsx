/** Tools, how they are set, history, how the picture is shown, and what takes the masks away. */

import type { App } from "../app";
import { Icon } from "../icons";
import { ActionButton } from "./action-button";
import { ExportMenu } from "./export-menu";

export function Toolbar({ app }: { app: App }) {
  const tool = app.editor.tool.value;
  const editable = !app.synced.readOnly.value;
  return (
    <div class="ev-toolbar" role="toolbar" aria-label="Tools and view">
      {editable && (
        <>
          <div class="ev-segments" role="group" aria-label="Tool">
            <ActionButton app={app} id="tool.clicks" icon="points" text="Points" />
            <ActionButton app={app} id="tool.brush" icon="brush" text="Brush" />
            <ActionButton app={app} id="tool.eraser" icon="eraser" text="Eraser" />
            <ActionButton app={app} id="tool.box" icon="box" text="Box" />
          </div>
          {(tool === "brush" || tool === "eraser") && <BrushSize app={app} />}
          {tool === "clicks" && (
            <span class="ev-hint" aria-hidden="true">
              left +, right −
            </span>
          )}
        </>
      )}
      <span class="ev-spring" />
      {editable && (
        <div class="ev-group">
          <ActionButton app={app} id="undo" icon="undo" detail={app.editor.undoLabel.value} />
          <ActionButton app={app} id="redo" icon="redo" detail={app.editor.redoLabel.value} />
        </div>
      )}
      <div class="ev-group">
        <Opacity app={app} />
        <ActionButton app={app} id="view.outline" icon="outline" />
        <ActionButton app={app} id="view.fit" icon="fit" />
      </div>
      <div class="ev-group">
        <ExportMenu app={app} />
        <ActionButton app={app} id="help" icon="help" />
      </div>
    </div>
  );
}

function BrushSize({ app }: { app: App }) {
  const size = app.store.brushSize;
  return (
    <label class="ev-range" title="Brush size in image pixels  ([ and ])">
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
  const { display } = app.synced;
  return (
    <label class="ev-range" title="Opacity of the masks">
      <Icon name="opacity" />
      <span class="ev-hidden">Opacity of the masks</span>
      <input
        type="range"
        min="0"
        max="100"
        step="5"
        value={Math.round(display.value.opacity * 100)}
        aria-valuetext={`${Math.round(display.value.opacity * 100)} percent`}
        onInput={(event) =>
          display.set({ ...display.value, opacity: Number(event.currentTarget.value) / 100 })
        }
      />
    </label>
  );
}
