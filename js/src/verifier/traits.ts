/** What the point verifier shares with the kernel. */

import type { AnyModel } from "@anywidget/types";
import type { ThemeChoice, Video } from "../wire/catalogue";
import { syncTraits } from "../wire/synced";

export interface VerifierTraits {
  video: Video;
  /** Image pixels across the enlarged part. */
  crop: number;
  read_only: boolean;
  theme: ThemeChoice;
}

export const syncVerifier = (model: AnyModel<VerifierTraits>) =>
  syncTraits(model, {
    video: "video",
    crop: "crop",
    readOnly: "read_only",
    theme: "theme",
  });
