/** What the annotator shares with Python and with its other views. */

import type { AnyModel } from "@anywidget/types";
import type { ThemeChoice, Video } from "../wire/catalogue";
import { syncTraits } from "../wire/synced";
import type { Display, Tool } from "./messages";

export interface Traits {
  video: Video;
  frame: number;
  /** 0 while there is none. */
  active_object: number;
  tool: Tool | "auto";
  display: Display;
  /** J&F to reach; null for none. */
  target: number | null;
  read_only: boolean;
  theme: ThemeChoice;
}

export const syncAnnotator = (model: AnyModel<Traits>) =>
  syncTraits(model, {
    video: "video",
    frame: "frame",
    activeObject: "active_object",
    tool: "tool",
    display: "display",
    target: "target",
    readOnly: "read_only",
    theme: "theme",
  });

export type SyncedTraits = ReturnType<typeof syncAnnotator>;
