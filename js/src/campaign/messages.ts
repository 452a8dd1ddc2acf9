/**
 * What the queue of a campaign and its kernel say to each other beside what every widget says.
 * `campaign.json` lists the kinds; one that is not in it does not compile here.
 */

import type campaign from "../../../evavos_widget/widgets/protocol/campaign.json";
import type { Catalogue } from "../wire/catalogue";

export interface Entry {
  video: string;
  status: "new" | "open" | "reached" | "finished" | "failed";
  seconds: number;
  rounds: number;
  predicted: number | null;
  sure: number | null;
  frame: number | null;
  object: number | null;
  kind: string | null;
  gain: number;
  cost: number;
  rate: number;
  basis: "value" | "video" | "frame" | "first";
  reason: string;
}

export interface State {
  entries: Entry[];
  next: string | null;
  open: string | null;
  seconds: number;
  budget: number | null;
  target: number;
  measured: number;
}

export interface CampaignCatalogue extends Catalogue {
  state: State & { revision?: number };
  capabilities: Record<never, never>;
  requests: Requests;
  replies: Replies;
  pushes: Record<keyof typeof campaign.pushes, object>;
}

interface Requests extends Record<keyof typeof campaign.requests, object> {
  "campaign.open": { video: string };
  "campaign.finish": { video: string; finished: boolean };
  "thumb.get": { video: string };
}

interface Replies {
  "thumb.get": { mime: string };
}
