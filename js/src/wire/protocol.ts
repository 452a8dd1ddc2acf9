/**
 * The message catalogue as types. The files in `protocol/` are the one place where kinds are
 * listed; a kind that is not in them does not compile here and is refused by a test.
 */

import type annotator from "../../../evavos_widget/widgets/protocol/annotator.json";
import type common from "../../../evavos_widget/widgets/protocol/common.json";
import {
  credit_window,
  max_upload_bytes,
  version,
} from "../../../evavos_widget/widgets/protocol/common.json";

export const PROTOCOL_VERSION: number = version;
/** How many pushes the kernel sends before it waits for an acknowledgement. */
export const CREDIT_WINDOW: number = credit_window;
/** Servers drop the connection at 10 MiB; the catalogue stays well below. */
export const MAX_UPLOAD_BYTES: number = max_upload_bytes;

export type RequestKind = keyof typeof common.requests | keyof typeof annotator.requests;
export type PushKind = keyof typeof common.pushes | keyof typeof annotator.pushes;

export interface Video {
  name: string;
  n_frames: number;
  height: number;
  width: number;
  fps: number;
}

export interface Display {
  opacity: number;
  contour: boolean;
  /** Outlines of the neighbouring frames' masks. */
  onion: boolean;
  /** What changed since the mask before. */
  difference: boolean;
  palette: "safe" | "davis";
}

export type Tool = "clicks" | "scribble" | "box" | "brush" | "eraser" | "polygon" | "fill" | "pick";

export interface ObjectInfo {
  id: number;
  name: string;
  color: string;
  visible: boolean;
  locked: boolean;
}

export interface AnnotatedFrame {
  frame: number;
  objects: number[];
  absent: number[];
  corrected: number[];
  verified: number[];
}

export interface Suggestion {
  frame: number;
  object: number;
  annotation_type: string;
  reason: string;
  predicted: number | null;
  expected_gain: number;
  seconds: number;
}

export interface CurvePoint {
  seconds: number;
  predicted: number | null;
  true: number | null;
}

export interface Job {
  phase: "idle" | "running" | "paused" | "cancelling";
  name: string;
  done: number;
  total: number;
  remaining_seconds: number | null;
  message: string;
}

export interface State {
  revision: number;
  objects: ObjectInfo[];
  annotated: AnnotatedFrame[];
  revisions: number[];
  quality: (number | null)[];
  /** By object id. */
  object_quality: Record<string, (number | null)[]>;
  stale: [number, number][];
  suggestion: Suggestion | null;
  /** What instead, the best first. */
  alternatives: Suggestion[];
  /** What the annotator has spent. */
  seconds: number;
  curve: CurvePoint[];
  undo: string | null;
  redo: string | null;
  saved: number | null;
  job: Job;
}

export interface Capabilities {
  predictor: string;
  predictor_learned: boolean;
  propagator: string;
  exports: string[];
  clicks: boolean;
  box: boolean;
  ground_truth: boolean;
}

/** Column, row in image pixels (pixel centres at integers), and 1 for "belongs to the object". */
export type Click = [x: number, y: number, positive: 0 | 1];
export type Box = [x0: number, y0: number, x1: number, y1: number];
export interface Scribble {
  points: [x: number, y: number][];
  positive: boolean;
}

/** Where one frame's runs lie in the buffer, in uint32 units. */
export interface MaskPlace {
  frame: number;
  revision: number;
  offset: number;
  length: number;
}

export interface LogLine {
  level: "info" | "warning" | "error";
  message: string;
  /** Unix seconds. */
  time: number;
}

/** What each kind of push carries. */
export interface Pushes extends Record<PushKind, object> {
  state: { state: State };
  "mask.update": { masks: MaskPlace[] };
  job: { job: Job };
  log: LogLine;
}

/** Fields of each request that this side sends. */
export interface Requests extends Record<RequestKind, object> {
  hello: { view: string };
  bye: { view: string };
  ack: { view: string; push: number };
  cancel: { target: string };
  "frame.get": { frame: number; width?: number };
  "mask.get": { frames: number[] };
  "prompt.preview": {
    frame: number;
    object: number;
    clicks: readonly Click[];
    box: Box | null;
    scribbles: readonly Scribble[];
  };
  "mask.commit": {
    frame: number;
    object: number;
    annotation_type: "mask" | "clicks" | "box" | "scribble" | "verified" | "absent";
    seconds: number;
    clicks: readonly Click[];
    propagate: boolean;
  };
  "object.add": { name: string | null };
  "object.update": { object: number } & Partial<Omit<ObjectInfo, "id">>;
  "object.remove": { object: number };
  "object.merge": { object: number; into: number };
  "annotation.remove": { frame: number; object: number };
  "history.undo": object;
  "history.redo": object;
  "job.start": { job: "propagate"; frames: [first: number, last: number] | null };
  "job.pause": object;
  "job.resume": object;
  "job.cancel": object;
  "suggestion.snooze": { frame: number; object: number };
  "export.run": { format: string; path: string | null };
}

/** Fields of the reply to each request. */
export interface Replies extends Record<RequestKind, object> {
  hello: { state: State; capabilities: Capabilities };
  "frame.get": { frame: number; mime: string };
  "mask.get": { masks: MaskPlace[] };
  "prompt.preview": { score: number; ms: number };
  "mask.commit": { revision: number; saved: true };
  "object.add": { object: number };
  "history.undo": { label: string | null };
  "history.redo": { label: string | null };
  "job.start": { started: boolean };
  "job.pause": { paused: boolean };
  "job.resume": { resumed: boolean };
  "job.cancel": { cancelled: boolean };
  "export.run": { path: string };
}
