/**
 * What every widget and its kernel say to each other, as types, and the place for what one
 * widget says beside it. `common.json` lists the kinds; one that is not in it does not compile.
 */

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

export interface Video {
  name: string;
  n_frames: number;
  height: number;
  width: number;
  fps: number;
}

/** As Python has it; "auto" follows the host. */
export type ThemeChoice = "auto" | "light" | "dark";

export interface LogLine {
  level: "info" | "warning" | "error";
  message: string;
  /** Unix seconds. */
  time: number;
}

/** What one widget says beside what all of them say. */
export interface Catalogue {
  /** What its page shows; where it has a revision, that grows with every change. */
  state: { revision?: number };
  capabilities: object;
  /** By kind, the fields of each request. */
  requests: object;
  /** By kind, the fields of each reply that has any. */
  replies: object;
  /** By kind, what each push carries. */
  pushes: object;
}

/** Of a widget that has nothing to add. */
export interface NothingMore extends Catalogue {
  requests: Record<never, object>;
  replies: Record<never, object>;
  pushes: Record<never, object>;
}

export type CommonKind = keyof typeof common.requests;

export interface CommonRequests extends Record<CommonKind, object> {
  hello: { view: string };
  bye: { view: string };
  ack: { view: string; push: number };
  ping: object;
  cancel: { target: string };
  "frame.get": { frame: number; width?: number; quick?: boolean };
}

export interface CommonReplies<C extends Catalogue> {
  hello: { state: C["state"]; capabilities: C["capabilities"] };
  "frame.get": { frame: number; mime: string; exact: boolean; index: number };
}

interface CommonPushes<C extends Catalogue> extends Record<keyof typeof common.pushes, object> {
  state: { state: C["state"] };
  log: LogLine;
}

export type Requests<C extends Catalogue> = CommonRequests & C["requests"];
export type Pushes<C extends Catalogue> = CommonPushes<C> & C["pushes"];
export type RequestKind<C extends Catalogue> = keyof Requests<C> & string;
export type PushKind<C extends Catalogue> = keyof Pushes<C> & string;

type Replies<C extends Catalogue> = CommonReplies<C> & C["replies"];

/** Fields of the reply to a kind of request. */
export type ReplyTo<C extends Catalogue, K extends string> = K extends keyof Replies<C>
  ? Replies<C>[K]
  : object;
