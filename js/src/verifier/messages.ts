/**
 * What the point verifier and its kernel say to each other beside what every widget says.
 * `verifier.json` lists the kinds; one that is not in it does not compile here.
 */

import type verifier from "../../../evavos_widget/widgets/protocol/verifier.json";
import type { Catalogue } from "../wire/catalogue";

export type Label = "positive" | "negative" | "unknown";

/** A point that is asked about; its region is 0 foreground, 1 background, 2 uncertain. */
export type Question = [frame: number, x: number, y: number, region: number];

export interface ObjectInfo {
  id: number;
  name: string;
  color: string;
  skipped: boolean;
  /** A character a question: + positive, - negative, ? unknown, . not yet. */
  answers: string;
}

export interface State {
  revision: number;
  phase: "proposing" | "ready" | "failed";
  done: number;
  total: number;
  objects: ObjectInfo[];
  seconds_per_point: number | null;
  agreement: { answered: number; agreed: number; unknown: number } | null;
  saved: number | null;
}

export interface VerifierCatalogue extends Catalogue {
  state: State;
  capabilities: Record<never, never>;
  requests: Requests;
  replies: Replies;
  pushes: Record<keyof typeof verifier.pushes, object>;
}

interface Requests extends Record<keyof typeof verifier.requests, object> {
  "questions.get": { object: number };
  "point.answer": { object: number; place: number; label: Label; seconds: number };
  "object.skip": { object: number; skipped: boolean };
}

interface Replies {
  "questions.get": { frame: number; questions: Question[] };
  "point.answer": { revision: number };
}
