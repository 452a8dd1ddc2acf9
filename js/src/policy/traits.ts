/** What the policy explorer shares with the kernel. */

import type { AnyModel } from "@anywidget/types";
import type { ThemeChoice, Video } from "../wire/catalogue";
import { syncTraits } from "../wire/synced";

export interface PolicyTraits {
  video: Video;
  round: number;
  object: number;
  frame: number;
  theme: ThemeChoice;
}

export const syncPolicy = (model: AnyModel<PolicyTraits>) =>
  syncTraits(model, {
    video: "video",
    round: "round",
    object: "object",
    frame: "frame",
    theme: "theme",
  });
