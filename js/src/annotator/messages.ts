/**
 * What the annotator and its kernel say to each other beside what every widget says.
 * `annotator.json` lists the kinds; one that is not in it does not compile here, and one that
 * nobody sends or handles is refused by a test.
 */

import type annotator from "../../../evavos_widget/widgets/protocol/annotator.json";
import type { MaskPlace } from "../masks/mask-store";
import type { Catalogue } from "../wire/catalogue";

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
  gain_of: "frame" | "video";
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
  /** By object id, frames it was carried to and has no pixel on. */
  lost: Record<string, [number, number][]>;
  suggestion: Suggestion | null;
  /** What instead, the best first. */
  alternatives: Suggestion[];
  /** What the annotator has spent. */
  seconds: number;
  curve: CurvePoint[];
  undo: string | null;
  redo: string | null;
  saved: number | null;
  /** Whether the session has a folder; else it ends with the kernel. */
  kept: boolean;
  job: Job;
}

export interface Capabilities {
  predictor: string;
  predictor_learned: boolean;
  /** The predictor answers several objects of a frame together. */
  together: boolean;
  propagator: string;
  exports: string[];
  /** The annotation types that can be given. */
  types: string[];
  ground_truth: boolean;
  /** Which session it is, the same when it is opened again. */
  session: string;
}

/** Column, row in image pixels (pixel centres at integers), and 1 for "belongs to the object". */
export type Click = [x: number, y: number, positive: 0 | 1];
export type Box = [x0: number, y0: number, x1: number, y1: number];
export interface Scribble {
  points: [x: number, y: number][];
  positive: boolean;
}

export type PointLabel = "positive" | "negative" | "unknown";

export type Others = "ask" | "take" | "leave";

export interface AnnotatorCatalogue extends Catalogue {
  state: State;
  capabilities: Capabilities;
  requests: Requests;
  replies: Replies;
  pushes: Pushes;
}

interface Pushes extends Record<keyof typeof annotator.pushes, object> {
  "mask.update": { masks: MaskPlace[] };
  job: { job: Job };
}

interface Requests extends Record<keyof typeof annotator.requests, object> {
  "mask.get": { frames: number[] };
  "prompt.preview": {
    frame: number;
    object: number;
    clicks: readonly Click[];
    box: Box | null;
    scribbles: readonly Scribble[];
    /** Leave other objects out, where the predictor answers several together. */
    alone: boolean;
  };
  "mask.commit": {
    frame: number;
    object: number;
    annotation_type: "mask" | "clicks" | "box" | "scribble" | "verified" | "absent";
    seconds: number;
    clicks: readonly Click[];
    propagate: boolean;
    /** What becomes of pixels that other objects were annotated with on this frame. */
    others: Others;
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
  "points.propose": { frame: number; object: number };
  "point.label": {
    frame: number;
    object: number;
    x: number;
    y: number;
    region: number;
    label: PointLabel;
    seconds: number;
  };
  "suggestion.snooze": { frame: number; object: number };
  "export.run": { format: string; path: string | null };
}

interface Replies {
  "mask.get": { masks: MaskPlace[] };
  /** With the pixels that it takes from others, by object id. */
  "prompt.preview": { score: number; ms: number; takes: Record<string, number> };
  /** Not saved where it would take pixels from others, by object id, and asks. */
  "mask.commit": { revision: number; saved: boolean; takes: Record<string, number> };
  "object.add": { object: number };
  /** Column, row, and what it is proposed as: 0 foreground, 1 background, 2 uncertain. */
  "points.propose": { points: [x: number, y: number, region: number][] };
  "point.label": { revision: number };
  "history.undo": { label: string | null };
  "history.redo": { label: string | null };
  "job.start": { started: boolean };
  "job.pause": { paused: boolean };
  "job.resume": { resumed: boolean };
  "job.cancel": { cancelled: boolean };
  "export.run": { path: string };
}
