/** Which prompts can be given: what a predictor does not take is told before somebody tries it. */

import type { Capabilities, Tool } from "./messages";

/** The tools that prompt the predictor, and what they give it; the others draw. */
const PROMPTS: Partial<Record<Tool, string>> = {
  clicks: "clicks",
  scribble: "scribbles",
  box: "boxes",
};

/**
 * Why a tool cannot be used with this predictor, in a sentence; null where it can, and as long as
 * nothing is known of the predictor.
 */
export function refusal(able: Capabilities | null, tool: Tool): string | null {
  const prompts = PROMPTS[tool];
  if (!able || !prompts || able.types.includes(tool)) return null;
  return `The predictor '${able.predictor}' takes no ${prompts}`;
}
