/**
 * What the curves and their kernel say to each other beside what every widget says; all that is
 * shown is in their traits.
 */

import type curves from "../../../evavos_widget/widgets/protocol/curves.json";
import type { Catalogue } from "../wire/catalogue";

export interface CurvesCatalogue extends Catalogue {
  state: Record<never, never>;
  capabilities: Record<never, never>;
  requests: Record<keyof typeof curves.requests, Record<never, never>>;
  replies: Record<never, never>;
  pushes: Record<never, never>;
}
