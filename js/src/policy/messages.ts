/**
 * What the policy explorer and its kernel say to each other beside what every widget says.
 * `policy.json` lists the kinds; one that is not in it does not compile here.
 */

import type policy from "../../../evavos_widget/widgets/protocol/policy.json";
import type { Catalogue } from "../wire/catalogue";

type Known = number | null;

export interface Made {
  frame: number;
  object: number;
  kind: string;
  seconds: number;
}

export interface Asked {
  frame: number;
  object: number;
  kind: string;
  reason: string;
  predicted: Known;
  expected_gain: number;
  seconds: number;
}

export interface ObjectRound {
  object: number;
  /** By frame, null where there is nothing. */
  predicted: Known[];
  true: Known[] | null;
  scores: Known[] | null;
  trust: Known[];
}

export interface TypeOption {
  kind: string;
  probability: number;
  gain: Known;
  seconds: Known;
  per_second: Known;
}

export interface Reward {
  seconds: number;
  spent: number;
  frame_gain: Known;
  reward: Known;
  predicted_before: Known;
  predicted_after: Known;
  predicted_gain: Known;
  true_before: Known;
  true_after: Known;
  true_gain: Known;
}

export interface Round {
  round: number;
  spent: number;
  made: Made | null;
  asked: Asked | null;
  followed: boolean;
  objects: ObjectRound[];
  meaning: string | null;
  types: TypeOption[];
  value: Known;
  gain_of: "frame" | "video";
  reward: Reward | null;
}

export interface Branch {
  round: number;
  frame: number;
  object: number;
  kind: string;
  seconds: number;
  predicted_before: Known;
  predicted_after: Known;
  true_before: number;
  true_after: number;
  frame_before: Known;
  frame_after: Known;
  gain: number;
  per_second: number;
  predicted: Known[];
  true: Known[];
}

export interface Job {
  phase: "idle" | "running" | "done" | "cancelled" | "failed";
  done: number;
  total: number;
  message: string;
}

type Choice = Pick<Asked, "frame" | "object" | "kind" | "reason"> | null;

export interface ComparedRow {
  round: number;
  first: Choice;
  second: Choice;
  same: boolean;
  first_disagreement: boolean;
}

export interface State {
  revision: number;
  rounds: Made[];
  objects: { id: number; name: string; color: string }[];
  policy: [string, string];
  truth: boolean;
  branches: Branch[];
  kinds: string[];
  comparison: { names: [string, string]; rows: ComparedRow[] } | null;
  job: Job;
}

export interface PolicyCatalogue extends Catalogue {
  state: State;
  capabilities: Record<never, never>;
  requests: Requests;
  replies: Replies;
  pushes: Pushes;
}

interface Requests extends Record<keyof typeof policy.requests, object> {
  "round.get": { round: number };
  "map.get": { round: number; object: number };
  "mask.get": { round: number; frame: number; object: number };
  "disagreement.get": { round: number; object: number };
  "whatif.start": { round: number; frame: number; object: number; annotation_type: string };
  "whatif.cancel": Record<never, never>;
}

interface Replies {
  "round.get": { told: Round };
  "map.get": { places: [number, number][] };
  "disagreement.get": { apart: Known[] | null };
  "whatif.start": { started: boolean };
  "whatif.cancel": { cancelled: boolean };
}

interface Pushes extends Record<keyof typeof policy.pushes, object> {
  whatif: { job: Job };
}
