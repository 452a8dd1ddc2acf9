/** Everything a person can do in the annotator, in the order of the sheet of keys. */

import { ActionTable } from "../../ui/actions";
import { FRAME_ACTIONS, PLAY, ZOOM_ACTIONS } from "../../video/actions";
import type { App } from "../app";
import { CROSSHAIR_ACTIONS } from "./crosshair";
import { MASK_ACTIONS, OPACITY_ACTIONS, PANEL_ACTIONS } from "./display";
import { LANDMARK_ACTIONS } from "./landmarks";
import { LOOP_ACTIONS } from "./loop";
import { OBJECT_ACTIONS } from "./objects";
import { POINT_ACTIONS } from "./points";
import { TOOL_ACTIONS } from "./tools";
import { WORK_ACTIONS } from "./work";

export const ACTIONS = new ActionTable<App>([
  ...TOOL_ACTIONS,
  ...CROSSHAIR_ACTIONS,
  ...WORK_ACTIONS,
  ...POINT_ACTIONS,
  ...FRAME_ACTIONS,
  ...LANDMARK_ACTIONS,
  PLAY,
  ...LOOP_ACTIONS,
  ...OBJECT_ACTIONS,
  ...MASK_ACTIONS,
  ...ZOOM_ACTIONS,
  ...OPACITY_ACTIONS,
  ...PANEL_ACTIONS,
]);
