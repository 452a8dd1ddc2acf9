import { signal } from "@preact/signals";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { ACTIONS } from "../../src/annotator/actions/table";
import type { App } from "../../src/annotator/app";
import type { Capabilities, Tool } from "../../src/annotator/messages";
import { refusal } from "../../src/annotator/prompts";
import { Commands } from "../../src/ui/commands";

const TOOLS: Tool[] = ["clicks", "scribble", "box", "brush", "eraser", "polygon", "fill", "pick"];

const able = (...types: string[]) => ({ predictor: "disc", types }) as unknown as Capabilities;

describe("a tool", () => {
  it("is refused where it prompts a predictor that does not take its prompts", () => {
    const refused = (...types: string[]) =>
      TOOLS.filter((tool) => refusal(able("mask", ...types), tool) !== null);
    expect(refused()).toEqual(["clicks", "scribble", "box"]);
    expect(refused("clicks", "points")).toEqual(["scribble", "box"]);
    expect(refused("clicks", "scribble", "box", "points")).toEqual([]);
    expect(TOOLS.map((tool) => refusal(null, tool))).toEqual(TOOLS.map(() => null));
  });

  it("says which predictor does not take what", () => {
    expect(refusal(able("mask"), "box")).toBe("The predictor 'disc' takes no boxes");
  });
});

describe("a key of what is refused", () => {
  let said: string[];
  let chosen: string[];
  let commands: Commands<App>;

  beforeEach(() => {
    vi.stubGlobal("window", new EventTarget());
    said = [];
    chosen = [];
    const app = {
      kernel: { capabilities: signal(able("mask", "box")) },
      synced: { readOnly: signal(false), tool: { set: (tool: string) => chosen.push(tool) } },
      editor: {
        objects: { canEdit: signal(true) },
        verifying: { asked: signal(null), start: () => chosen.push("points") },
        drafts: { kind: signal("none") },
        annotations: { showsMask: true },
      },
      store: { crosshair: signal(null) },
    } as unknown as App;
    const failed = (error: unknown) => said.push(String(error));
    const { signal: never } = new AbortController();
    commands = new Commands(ACTIONS, app, "keys", failed, (words) => said.push(words), never);
  });

  afterEach(() => vi.unstubAllGlobals());

  const press = async (key: string) => {
    commands.run(commands.actionFor(key)?.id ?? "");
    await Promise.resolve();
  };

  it("says why instead of acting", async () => {
    for (const key of ["c", "i", "r", "b"]) await press(key);
    expect(chosen).toEqual(["box", "brush"]);
    expect(said).toEqual([
      "The predictor 'disc' takes no clicks",
      "The predictor 'disc' takes no scribbles",
    ]);
  });

  it("proposes no points, whose answers would be clicks", async () => {
    await press("Shift+c");
    expect(chosen).toEqual([]);
    expect(said).toEqual([expect.stringContaining("takes no clicks, which correct the mask")]);
  });
});
