import { signal } from "@preact/signals";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { Draft } from "../../src/annotator/editing/draft";
import { Drafts } from "../../src/annotator/editing/drafts";
import { KeptDrafts } from "../../src/annotator/editing/kept-drafts";
import { PAINTED } from "../../src/annotator/editing/layers";
import { createStore } from "../../src/annotator/store";
import { whole } from "../../src/masks/geometry";
import { Masks } from "../../src/masks/mask-store";
import { encodeRuns } from "../../src/masks/runs";

const WIDTH = 6;
const HEIGHT = 4;
const FRAME = 2;

let warnings: string[];
let stored: Record<string, string>;

beforeEach(() => {
  warnings = [];
  stored = {};
  // The keys of a storage are its own properties.
  const storage = Object.defineProperties(stored, {
    getItem: { value: (key: string) => stored[key] ?? null },
    setItem: { value: (key: string, text: string) => (stored[key] = text) },
    removeItem: { value: (key: string) => delete stored[key] },
  });
  vi.stubGlobal("sessionStorage", storage);
});

const filled = (...pixels: number[]) => {
  const mask = new Uint8Array(WIDTH * HEIGHT);
  for (const pixel of pixels) mask[pixel] = 1;
  return encodeRuns(mask);
};

/** A view of the session on a page that was just opened, where the frame has these masks. */
function open(view: string, runs: Uint32Array) {
  const masks = new Masks(
    () => -1,
    async () => {},
    () => {},
    () => {},
  );
  const [active, objects] = [signal({ id: 1 }), signal([{ id: 1 }])];
  const host = {
    layer: { width: WIDTH, height: HEIGHT, all: whole(WIDTH, HEIGHT) },
    changed: () => {},
  };
  const store = createStore();
  store.shown.value = FRAME;
  const known = { active, has: () => true, locked: () => new Uint8Array(256) };
  const drafts = new Drafts(known as never, store, masks, host as never);
  const kernel = { objects, note: (_: string, words: string) => warnings.push(words) };
  masks.accept([{ frame: FRAME, revision: 1, offset: 0, length: runs.length }], runs);
  const alive = () => false;
  const kept = new KeptDrafts("clip", view, kernel as never, store, masks, drafts, alive);
  return { drafts, kept };
}

/** A dab on one pixel. */
function dab(drafts: Drafts, x: number): Draft {
  const draft = new Draft(FRAME, 1, WIDTH, HEIGHT);
  draft.beginStroke(PAINTED);
  draft.extendStroke({ x, y: 0 }, { x, y: 0 }, 1);
  draft.endStroke();
  drafts.adopt(draft);
  return draft;
}

describe("a draft that was on its way to the disk when the page was left", () => {
  const leave = () => {
    const { drafts, kept } = open("before", filled(0));
    drafts.send(dab(drafts, 3));
    kept.write();
    expect(drafts.unfinished.value).toEqual([]);
  };

  it("is a draft again where it did not arrive", () => {
    leave();
    const { drafts } = open("after", filled(0));
    expect(drafts.unfinished.value).toMatchObject([{ frame: FRAME, object: 1 }]);
    expect(encodeRuns(drafts.allLabels(FRAME))).toEqual(filled(0, 3));
    expect(warnings).toEqual([]);
  });

  it("is dropped without a word where it did", () => {
    leave();
    const { drafts } = open("after", filled(0, 3));
    expect(drafts.unfinished.value).toEqual([]);
    expect(warnings).toEqual([]);
  });

  it("is said to be gone where the frame has other masks", () => {
    leave();
    const { drafts } = open("after", filled(0, 5));
    expect(drafts.unfinished.value).toEqual([]);
    expect(warnings).toEqual([expect.stringContaining(`frame ${FRAME}`)]);
  });
});
