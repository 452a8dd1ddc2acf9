/** Choosing a tool, and the size of its brush. */

import type { Action } from "../../ui/actions";
import type { App } from "../app";
import type { Tool } from "../messages";
import { refusal } from "../prompts";
import { editable } from "./conditions";

const BRUSH_STEP = 1.25;
const MAX_BRUSH = 400;

const tool = (id: Tool, label: string, key: string): Action<App> => ({
  id: `tool.${id}`,
  group: "Tools",
  label,
  keys: [key],
  run: (app) => app.synced.tool.set(id),
  enabled: editable,
  refused: (app) => refusal(app.kernel.capabilities.value, id),
  pressed: (app) => app.editor.tool.value === id,
});

const scaleBrush = (app: App, factor: number) => {
  const size = app.store.brushSize;
  const scaled = size.value * factor;
  size.value = Math.min(
    MAX_BRUSH,
    Math.max(1, factor > 1 ? Math.ceil(scaled) : Math.floor(scaled)),
  );
};

export const TOOL_ACTIONS: readonly Action<App>[] = [
  tool("clicks", "Points", "c"),
  tool("scribble", "Scribble", "i"),
  tool("box", "Box", "r"),
  tool("brush", "Brush", "b"),
  tool("eraser", "Eraser", "e"),
  tool("polygon", "Polygon", "p"),
  tool("fill", "Fill", "g"),
  tool("pick", "Pick", "v"),
  {
    id: "together",
    group: "Tools",
    label: "Answer clicks together with the other objects of the frame",
    keys: ["Shift+a"],
    run: (app) => app.editor.answerTogether(!app.store.together.value),
    enabled: (app) => app.kernel.capabilities.value?.together ?? false,
    pressed: (app) => app.store.together.value,
  },
  {
    id: "brush.smaller",
    group: "Tools",
    label: "Smaller brush",
    keys: ["["],
    run: (app) => scaleBrush(app, 1 / BRUSH_STEP),
    repeats: true,
  },
  {
    id: "brush.larger",
    group: "Tools",
    label: "Larger brush",
    keys: ["]"],
    run: (app) => scaleBrush(app, BRUSH_STEP),
    repeats: true,
  },
];
