import { batch, signal } from "@preact/signals";
import { beforeEach, describe, expect, it } from "vitest";
import type { AnnotatorKernel } from "../../src/annotator/annotator-kernel";
import { Draft } from "../../src/annotator/editing/draft";
import { Editor } from "../../src/annotator/editing/editor";
import { Gestures, type Reach } from "../../src/annotator/editing/gestures";
import type {
  AnnotatorCatalogue,
  Capabilities,
  ObjectInfo,
  State,
} from "../../src/annotator/messages";
import { createStore, type Store } from "../../src/annotator/store";
import { type SyncedTraits, syncAnnotator } from "../../src/annotator/traits";
import { whole } from "../../src/masks/geometry";
import type { MaskLayer } from "../../src/masks/mask-layer";
import { Masks } from "../../src/masks/mask-store";
import { decodeRuns, encodeRuns } from "../../src/masks/runs";
import { Activity } from "../../src/ui/activity";
import type { RequestKind } from "../../src/wire/catalogue";
import { isGone, KernelError } from "../../src/wire/channel";
import { fakeModel } from "./fake-model";

const WIDTH = 6;
const HEIGHT = 4;
const PIXELS = WIDTH * HEIGHT;

type Kind = RequestKind<AnnotatorCatalogue>;

interface Asked {
  kind: Kind;
  fields: Record<string, unknown>;
  buffers: ArrayBufferView[];
  answer(fields: object, buffer?: ArrayBufferView): void;
  refuse(error: unknown): void;
}

let asked: Asked[];
let failures: unknown[];
let objects: ReturnType<typeof signal<ObjectInfo[]>>;
let state: ReturnType<typeof signal<Pick<State, "revision" | "undo"> | null>>;
let synced: SyncedTraits;
let store: Store;
let capabilities: ReturnType<typeof signal<Capabilities | null>>;
let masks: Masks;
let editor: Editor;
let activity: Activity;
let time: number;

const object = (id: number, locked = false): ObjectInfo => ({
  id,
  name: `object ${id}`,
  color: "#e69f00",
  visible: true,
  locked,
});

/** A kernel that keeps every question until the test answers it. */
function patientKernel(): AnnotatorKernel {
  const request = (kind: Kind, fields: object, { buffers = [] as ArrayBufferView[] } = {}) =>
    new Promise((resolve, reject) => {
      const answer = (reply: object, buffer?: ArrayBufferView) =>
        resolve({ fields: reply, buffers: buffer ? [buffer] : [] });
      asked.push({ kind, fields: { ...fields }, buffers, answer, refuse: reject });
    });
  const gone = signal(false);
  const fail = (error: unknown) => {
    failures.push(error);
    gone.value ||= isGone(error);
  };
  return { objects, state, capabilities, gone, request, ask: request, fail } as never;
}

beforeEach(() => {
  asked = [];
  failures = [];
  objects = signal<ObjectInfo[]>([object(1)]);
  state = signal({ revision: 0, undo: null });
  store = createStore();
  capabilities = signal<Capabilities | null>(null);
  masks = new Masks(
    () => -1,
    async () => {},
    () => {},
    () => {},
  );
  synced = syncAnnotator(fakeModel({ width: WIDTH, height: HEIGHT }));
  show(2);
  const layer = { width: WIDTH, height: HEIGHT, all: whole(WIDTH, HEIGHT) } as MaskLayer;
  const host = { layer, changed: () => {} };
  time = 0;
  activity = new Activity(() => time);
  editor = new Editor(patientKernel(), synced, store, masks, host, activity);
});

/** Goes to a frame, whose picture is there. */
const show = (frame: number) =>
  batch(() => {
    synced.frame.set(frame);
    store.shown.value = frame;
  });

/** Lets everything happen that waits for nothing from outside. */
const settle = () => new Promise((resolve) => setTimeout(resolve, 0));

const filled = (...pixels: number[]) => {
  const mask = new Uint8Array(PIXELS);
  for (const pixel of pixels) mask[pixel] = 1;
  return mask;
};

const place = (frame: number, length: number) => ({ frame, revision: 1, offset: 0, length });

/** The latest question of a kind. */
function last(kind: Kind): Asked {
  const found = asked.findLast((each) => each.kind === kind);
  if (!found) throw new Error(`nothing was asked with ${kind}.`);
  return found;
}

/** The kernel's next state lists these objects. */
const list = (...ids: number[]) => {
  objects.value = ids.map((id) => object(id));
  state.value = { revision: 0, undo: null };
};

const count = (kind: Kind) => asked.filter((each) => each.kind === kind).length;

const sent = ({ buffers: [buffer] }: Asked) =>
  decodeRuns(buffer as Uint32Array, new Uint8Array(PIXELS));

const dab = (x: number, y: number) => {
  const stroke = editor.stroke(false);
  stroke?.extend({ x, y });
  stroke?.end();
};

describe("a commit", () => {
  it("waits for its preview while the person goes on, and takes that frame's masks", async () => {
    const there = encodeRuns(filled(20).map((v) => 2 * v));
    const elsewhere = encodeRuns(filled(3, 4, 5));
    masks.accept([place(2, there.length)], there);
    masks.accept([place(3, elsewhere.length)], elsewhere);
    await editor.click({ x: 1, y: 0 }, true);
    const done = editor.annotations.commit(false);
    show(3);
    await settle();
    last("prompt.preview").answer({ score: 0.9 }, encodeRuns(filled(1, 2)));
    await settle();
    const commit = last("mask.commit");
    expect(commit.fields).toMatchObject({ frame: 2, object: 1, annotation_type: "clicks" });
    expect(sent(commit)).toEqual(filled(1, 2));
    commit.answer({ revision: 2, saved: true, takes: {} });
    await done;
    const labels = decodeRuns(masks.get(2) as Uint32Array, new Uint8Array(PIXELS));
    expect([...labels].flatMap((label, i) => (label ? [[i, label]] : []))).toEqual([
      [1, 1],
      [2, 1],
      [20, 2],
    ]);
    expect(masks.get(3)).toEqual(elsewhere);
    expect(store.announcement.value).toBe("Frame 2 saved");
  });

  it("asks again for a preview whose place was taken by one of another frame", async () => {
    await editor.click({ x: 1, y: 0 }, true);
    void editor.annotations.commit(false);
    const first = last("prompt.preview");
    show(3);
    first.refuse(new KernelError("superseded", "a newer preview was asked for."));
    await settle();
    const second = last("prompt.preview");
    expect(second).not.toBe(first);
    expect(second.fields).toMatchObject({ frame: 2, clicks: [[1, 0, 1]] });
    second.answer({ score: 0.9 }, encodeRuns(filled(1)));
    await settle();
    expect(sent(last("mask.commit"))).toEqual(filled(1));
  });

  it("that is asked for twice while it waits is one, with the pass that the second asked for", async () => {
    await editor.click({ x: 1, y: 0 }, true);
    const both = [editor.annotations.commit(false), editor.annotations.commit(true)];
    last("prompt.preview").answer({ score: 0.9 }, encodeRuns(filled(1, 2)));
    await settle();
    expect(count("mask.commit")).toBe(1);
    expect(last("mask.commit").fields.propagate).toBe(true);
    last("mask.commit").answer({ revision: 2, saved: true, takes: {} });
    await Promise.all(both);
    expect(editor.drafts.unfinished.value).toEqual([]);
  });

  it("is under way from the first key on, and can be waited for", async () => {
    await editor.click({ x: 1, y: 0 }, true);
    expect(editor.annotations.underWay).toBe(false);
    void editor.annotations.commit(false);
    expect(editor.annotations.underWay).toBe(true);
    let settled: boolean | undefined;
    void editor.annotations.settled().then((saved) => {
      settled = saved;
    });
    last("prompt.preview").answer({ score: 0.9 }, encodeRuns(filled(1)));
    await settle();
    expect(settled).toBeUndefined();
    last("mask.commit").answer({ revision: 2, saved: true, takes: {} });
    await settle();
    expect(settled).toBe(true);
    expect(editor.annotations.underWay).toBe(true);
    state.value = { revision: 2, undo: "clicks on frame 2" };
    expect(editor.annotations.underWay).toBe(false);
  });

  it("ends the stroke that it comes in the middle of", async () => {
    store.brushSize.value = 1;
    const stroke = editor.stroke(false);
    stroke?.extend({ x: 0, y: 0 });
    await settle();
    const done = editor.annotations.commit(false);
    await settle();
    stroke?.extend({ x: 5, y: 0 });
    stroke?.end();
    expect(sent(last("mask.commit"))).toEqual(filled(0));
    expect(editor.drafts.allLabels(2)).toEqual(filled(0));
    last("mask.commit").answer({ revision: 1, saved: true, takes: {} });
    await done;
    expect(editor.drafts.unfinished.value).toEqual([]);
  });

  it("leaves the preview of another draft for later, and then it is asked for", async () => {
    await editor.click({ x: 1, y: 0 }, true);
    void editor.annotations.commit(false);
    const first = last("prompt.preview");
    show(3);
    await editor.click({ x: 2, y: 0 }, true);
    const second = last("prompt.preview");
    first.refuse(new KernelError("superseded", "newer."));
    await settle();
    const third = last("prompt.preview");
    expect(third.fields.frame).toBe(2);
    second.refuse(new KernelError("superseded", "newer."));
    await settle();
    expect(last("prompt.preview")).toBe(third);
    third.answer({ score: 0.9 }, encodeRuns(filled(1)));
    await settle();
    expect(last("prompt.preview").fields.frame).toBe(3);
    last("prompt.preview").answer({ score: 0.9 }, encodeRuns(filled(2)));
    await settle();
    expect(editor.drafts.predicting.value).toBe(false);
  });

  it("says so where no preview comes, and keeps the draft", async () => {
    await editor.click({ x: 1, y: 0 }, true);
    const done = editor.annotations.commit(false);
    show(3);
    for (let i = 0; i < 9; i++) {
      last("prompt.preview").refuse(new KernelError("superseded", "newer."));
      await settle();
    }
    await done;
    expect(failures).toEqual([expect.objectContaining({ message: expect.stringMatching(/2/) })]);
    expect(editor.drafts.unfinished.value).toMatchObject([{ frame: 2, object: 1 }]);
  });

  it("keeps the draft and its prompt where the kernel is no more, and asks it nothing", async () => {
    await editor.click({ x: 1, y: 0 }, true);
    const done = editor.annotations.commit(false);
    last("prompt.preview").refuse(new KernelError("gone", "Disconnected."));
    await done;
    await settle();
    expect(asked).toHaveLength(1);
    expect(failures).toHaveLength(1);
    expect(editor.drafts.current.value?.clicks).toEqual([[1, 0, 1]]);
  });

  it("of a draft that was discarded while it waited is none", async () => {
    await editor.click({ x: 1, y: 0 }, true);
    const done = editor.annotations.commit(false);
    editor.history.discard();
    last("prompt.preview").refuse(new DOMException("given up", "AbortError"));
    await done;
    expect(asked.map(({ kind }) => kind)).toEqual(["prompt.preview"]);
    expect(failures).toEqual([]);
  });

  it("of an outline without an inside says what is missing", async () => {
    await editor.vertex({ x: 1, y: 1 }, false, 0);
    await editor.annotations.commit(false);
    expect(asked).toEqual([]);
    expect(store.announcement.value).toMatch(/three points/);
  });
});

describe("drafts from before", () => {
  it("are all predicted on the shown frame, one after the other, that in hand first", async () => {
    list(1, 2, 3);
    synced.activeObject.set(2);
    batch(() => {
      for (const [frame, object] of [
        [2, 1],
        [2, 2],
        [3, 3],
      ]) {
        const draft = new Draft(frame, object, WIDTH, HEIGHT);
        draft.takeUp({
          clicks: [[object, 0, 1]],
          box: null,
          scribbles: [],
          layers: [],
          path: null,
        });
        editor.drafts.adopt(draft);
      }
    });
    const predicted = () =>
      asked.filter(({ kind }) => kind === "prompt.preview").map(({ fields }) => fields.object);
    for (const objects of [[2], [2, 1]]) {
      await settle();
      expect(predicted()).toEqual(objects);
      const object = objects[objects.length - 1];
      last("prompt.preview").answer({ score: 0.9, takes: {} }, encodeRuns(filled(object)));
    }
    await settle();
    expect(predicted()).toEqual([2, 1]);
    expect([...editor.drafts.allLabels(2)].slice(0, 4)).toEqual([0, 1, 2, 0]);
    show(3);
    await settle();
    expect(predicted()).toEqual([2, 1, 3]);
  });
});

describe("an outline", () => {
  const outline = async (...corners: [number, number][]) => {
    for (const [x, y] of corners) await editor.vertex({ x, y }, false, 0.5);
  };
  const SQUARE: [number, number][] = [
    [0.5, 0.5],
    [3.5, 0.5],
    [3.5, 2.5],
    [0.5, 2.5],
  ];
  const commit = async () => {
    const done = editor.annotations.commit(false);
    await settle();
    const { fields, answer } = last("mask.commit");
    answer({ revision: 2, saved: true, takes: {} });
    await done;
    return { fields, mask: sent(last("mask.commit")) };
  };
  const drag = (from: [number, number], to: [number, number] | null) => {
    const handle = editor.vertexAt({ x: from[0], y: from[1] }, 0.5);
    if (!handle) return false;
    editor.take(handle);
    if (to) editor.moveVertex({ x: to[0], y: to[1] });
    editor.endMove();
    return true;
  };

  it("closes on its first vertex once it has been away from it", async () => {
    for (const x of [1, 1.2, 1.4, 0.9]) await editor.vertex({ x, y: 1 }, false, 0.5);
    expect(editor.drafts.current.value?.path?.vertices).toHaveLength(4);
    await outline([4, 1], [4, 3], [1.1, 1.1]);
    expect(editor.drafts.current.value?.path).toBeNull();
    expect(editor.drafts.current.value?.polygons[0].vertices).toHaveLength(6);
  });

  it("can be moved after it was committed, on what was there before", async () => {
    const before = encodeRuns(filled(0));
    masks.accept([place(2, before.length)], before);
    await outline(...SQUARE);
    await editor.finishPolygon();
    const { mask } = await commit();
    expect(mask).toEqual(filled(0, 7, 8, 9, 13, 14, 15));
    expect(editor.drafts.unfinished.value).toEqual([]);
    expect(drag([3.5, 0.5], [1.5, 0.5])).toBe(true);
    expect(drag([3.5, 2.5], [1.5, 2.5])).toBe(true);
    expect(editor.drafts.kind.value).toBe("polygon");
    expect((await commit()).mask).toEqual(filled(0, 7, 13));
    expect(drag([1.5, 2.5], [2.5, 2.5])).toBe(true);
  });

  it("that was taken and let go where it was leaves nothing unfinished", async () => {
    await outline(...SQUARE);
    await editor.finishPolygon();
    const none = encodeRuns(filled());
    masks.accept([place(2, none.length)], none);
    await commit();
    drag([3.5, 0.5], null);
    expect(editor.drafts.unfinished.value).toEqual([]);
    await editor.vertex({ x: 5, y: 1 }, false, 0.5);
    expect(editor.drafts.current.value?.polygons).toEqual([]);
  });

  it("cannot be moved once something else changed the mask, until that is taken back", async () => {
    await outline(...SQUARE);
    await editor.finishPolygon();
    const none = encodeRuns(filled());
    masks.accept([place(2, none.length)], none);
    const { mask } = await commit();
    masks.assume(2, encodeRuns(filled(1)));
    expect(editor.vertexAt({ x: 3.5, y: 0.5 }, 0.5)).toBeNull();
    masks.assume(2, encodeRuns(mask));
    expect(editor.vertexAt({ x: 3.5, y: 0.5 }, 0.5)).not.toBeNull();
  });
});

describe("a commit that would take pixels from others", () => {
  const ask = async () => {
    dab(1, 1);
    await settle();
    const done = editor.annotations.commit(true);
    await settle();
    expect(last("mask.commit").fields).toMatchObject({ others: "ask", propagate: true });
    last("mask.commit").answer({ revision: 1, saved: false, takes: { "2": 40 } });
    await done;
  };

  it("is asked about, and stays a draft until it is decided", async () => {
    await ask();
    expect(editor.annotations.question.value?.takes).toEqual([[2, 40]]);
    expect(editor.drafts.kind.value).toBe("brush");
    const done = editor.annotations.decide("leave");
    await settle();
    expect(last("mask.commit").fields).toMatchObject({ others: "leave", propagate: true });
    last("mask.commit").answer({ revision: 2, saved: true, takes: {} });
    await done;
    expect(editor.annotations.question.value).toBeNull();
    expect(editor.drafts.kind.value).toBe("none");
  });

  it("is one draft with what was drawn while it was on its way", async () => {
    dab(1, 1);
    await settle();
    const done = editor.annotations.commit(false);
    await settle();
    dab(4, 2);
    await settle();
    last("mask.commit").answer({ revision: 1, saved: false, takes: { "2": 40 } });
    await done;
    expect(editor.annotations.question.value).not.toBeNull();
    const both = editor.drafts.current.value?.layers.length;
    await editor.history.undo();
    expect([both, editor.drafts.current.value?.layers.length]).toEqual([2, 1]);
  });

  it("is asked about anew once the draft is another", async () => {
    await ask();
    dab(2, 1);
    await settle();
    expect(editor.annotations.question.value).toBeNull();
    await editor.history.undo();
    expect(editor.annotations.question.value).not.toBeNull();
    show(3);
    expect(editor.annotations.question.value).toBeNull();
  });
});

describe("the seconds of a commit", () => {
  it("are those of work: of a pause ten seconds count", async () => {
    const spent = async () => {
      dab(1, 1);
      await settle();
      const done = editor.annotations.commit(false);
      await settle();
      const { fields, answer } = last("mask.commit");
      answer({ revision: 2, saved: true, takes: {} });
      await done;
      return fields.seconds;
    };
    for (const at of [4_000, 8_000, 200_000, 203_000]) {
      time = at;
      activity.note();
    }
    expect(await spent()).toBe(4 + 4 + 10 + 3);
    time += 90_000;
    expect(await spent()).toBe(10);
    expect(await spent()).toBe(0);
    time += 60_000;
    show(3);
    time += 2_000;
    expect(await spent()).toBe(0);
    activity.note();
    time += 2_000;
    expect(await spent()).toBe(2);
  });
});

describe("the seconds of a commit that was not taken", () => {
  const worked = (seconds: number) => {
    time += 1000 * seconds;
    activity.note();
  };
  const committed = async (answer: (commit: Asked) => void) => {
    const done = editor.annotations.commit(false);
    await settle();
    answer(last("mask.commit"));
    await done;
    return last("mask.commit").fields.seconds;
  };

  it("are those of the next one", async () => {
    dab(1, 1);
    await settle();
    worked(8);
    const takes = { "2": 40 };
    expect(await committed((commit) => commit.answer({ revision: 1, saved: false, takes }))).toBe(
      8,
    );
    worked(1);
    expect(await committed((commit) => commit.refuse(new KernelError("io", "disk full.")))).toBe(9);
    worked(2);
    const saved = { revision: 2, saved: true, takes: {} };
    expect(await committed((commit) => commit.answer(saved))).toBe(11);
    dab(1, 1);
    await settle();
    expect(await committed((commit) => commit.answer({ ...saved, revision: 3 }))).toBe(0);
  });
});

describe("undo while a commit is on its way", () => {
  it("takes that one back", async () => {
    dab(1, 1);
    await settle();
    void editor.annotations.commit(false);
    await settle();
    expect(editor.history.undoLabel.value).toBe("annotation");
    void editor.history.undo();
    await settle();
    expect(count("history.undo")).toBe(0);
    last("mask.commit").answer({ revision: 1, saved: true, takes: {} });
    await settle();
    expect(count("history.undo")).toBe(1);
  });

  it("takes no earlier one back where it is not saved", async () => {
    state.value = { revision: 1, undo: "mask on frame 0" };
    dab(1, 1);
    await settle();
    void editor.annotations.commit(false);
    await settle();
    show(3);
    void editor.history.undo();
    last("mask.commit").answer({ revision: 1, saved: false, takes: { "2": 40 } });
    await settle();
    expect(count("history.undo")).toBe(0);
    expect(editor.drafts.unfinished.value).toMatchObject([{ frame: 2, object: 1 }]);
  });
});

describe("a commit that is not taken while the person goes on", () => {
  const refuse = [
    ["asks", () => last("mask.commit").answer({ revision: 1, saved: false, takes: { 2: 40 } })],
    ["fails", () => last("mask.commit").refuse(new Error("the disk is full"))],
  ] as const;
  /** A stroke that is being drawn while the kernel does not take what was drawn before it. */
  const strokeOver = async (no: () => void) => {
    store.brushSize.value = 1;
    dab(1, 1);
    await settle();
    const done = editor.annotations.commit(false);
    await settle();
    const stroke = editor.stroke(false);
    stroke?.extend({ x: 4, y: 2 });
    await settle();
    no();
    await done;
    return stroke;
  };
  const drawn = () =>
    [...editor.drafts.allLabels(2)].flatMap((label, pixel) => (label === 1 ? [pixel] : []));

  it.each(refuse)(
    "%s: what was drawn is there under the stroke, and is one step back",
    async (_, no) => {
      const stroke = await strokeOver(no);
      expect(drawn()).toEqual([7, 16]);
      stroke?.extend({ x: 5, y: 2 });
      stroke?.end();
      expect(drawn()).toEqual([7, 16, 17]);
      expect(editor.drafts.unfinished.value).toHaveLength(1);
      expect(editor.drafts.saving.value).toHaveLength(0);
      await editor.history.undo();
      expect(drawn()).toEqual([7]);
    },
  );

  it("is there again when the stroke was given up", async () => {
    const stroke = await strokeOver(refuse[0][1]);
    stroke?.cancel();
    expect(drawn()).toEqual([7]);
    expect(editor.annotations.question.value).not.toBeNull();
  });

  it("is predicted anew from the clicks before and after", async () => {
    await editor.click({ x: 1, y: 1 }, true);
    last("prompt.preview").answer({ score: 0.9, takes: {} }, encodeRuns(filled(7)));
    await settle();
    const done = editor.annotations.commit(false);
    await settle();
    await editor.click({ x: 4, y: 2 }, true);
    refuse[0][1]();
    await done;
    await settle();
    expect(last("prompt.preview").fields).toMatchObject({
      clicks: [
        [1, 1, 1],
        [4, 2, 1],
      ],
    });
    expect(drawn()).toEqual([7]);
  });
});

describe("a mask that is accepted as it is", () => {
  it("is said to be where that was saved only", async () => {
    const runs = encodeRuns(filled(1));
    masks.accept([place(2, runs.length)], runs);
    for (const saved of [false, true]) {
      void editor.annotations.say("verified");
      await settle();
      last("mask.commit").answer({ revision: 1, saved, takes: saved ? {} : { "2": 1 } });
      await settle();
      expect(store.announcement.value.includes("accepted as it is")).toBe(saved);
    }
  });
});

describe("what is said twice before the kernel has answered", () => {
  it("is said once, and again when it is meant again", async () => {
    const runs = encodeRuns(filled(3));
    masks.accept([place(2, runs.length)], runs);
    void editor.annotations.say("verified");
    void editor.annotations.say("verified");
    await settle();
    expect(count("mask.commit")).toBe(1);
    void editor.annotations.say("absent"); // that is another thing
    await settle();
    expect(count("mask.commit")).toBe(2);
    for (const each of asked) each.answer({ revision: 2, saved: true, takes: {} });
    await settle();
    void editor.annotations.say("verified");
    await settle();
    expect(count("mask.commit")).toBe(3);
  });
});

describe("Enter after a commit", () => {
  it("follows no suggestion at once", async () => {
    expect(editor.annotations.justCommitted).toBe(false);
    dab(1, 1);
    await settle();
    const done = editor.annotations.commit(false);
    await settle();
    expect(editor.annotations.justCommitted).toBe(true);
    last("mask.commit").answer({ revision: 2, saved: true, takes: {} });
    await done;
    expect(editor.annotations.justCommitted).toBe(true);
  });
});

describe("the predictor's estimate", () => {
  it("belongs to the prompt it was given for", async () => {
    await editor.click({ x: 1, y: 0 }, true);
    expect(editor.drafts.score.value).toBeNull();
    last("prompt.preview").answer({ score: 0.87 }, encodeRuns(filled(1)));
    await settle();
    expect(editor.drafts.score.value).toBe(0.87);
    show(3);
    expect(editor.drafts.score.value).toBeNull();
    await editor.vertex({ x: 1, y: 1 }, false, 0);
    expect(editor.drafts.score.value).toBeNull();
    show(2);
    expect(editor.drafts.score.value).toBe(0.87);
    await editor.click({ x: 3, y: 0 }, true);
    last("prompt.preview").answer({ score: 0.5 }, encodeRuns(filled(3)));
    await settle();
    expect(editor.drafts.score.value).toBe(0.5);
    await editor.history.undo();
    expect(editor.drafts.score.value).toBe(0.87);
    await editor.history.undo();
    expect(editor.drafts.score.value).toBeNull();
  });

  it("is not that of a mask with strokes over it", async () => {
    await editor.click({ x: 1, y: 0 }, true);
    last("prompt.preview").answer({ score: 0.87 }, encodeRuns(filled(1)));
    await settle();
    dab(4, 2);
    await settle();
    expect(editor.drafts.score.value).toBeNull();
  });
});

describe("what a prediction takes from other objects", () => {
  it("is told while it is shown as it was predicted", async () => {
    await editor.click({ x: 1, y: 0 }, true);
    expect(editor.drafts.takes.value).toEqual([]);
    last("prompt.preview").answer({ score: 0.87, takes: { 2: 5 } }, encodeRuns(filled(1)));
    await settle();
    expect(editor.drafts.takes.value).toEqual([[2, 5]]);
    await editor.click({ x: 3, y: 0 }, false);
    last("prompt.preview").answer({ score: 0.87, takes: {} }, encodeRuns(filled(1)));
    await settle();
    expect(editor.drafts.takes.value).toEqual([]);
    await editor.history.undo();
    expect(editor.drafts.takes.value).toEqual([[2, 5]]);
    dab(4, 2);
    await settle();
    expect(editor.drafts.takes.value).toEqual([]);
  });
});

describe("answering objects together", () => {
  it("asks the prompts in hand again when it is turned off", async () => {
    editor.answerTogether(true);
    expect(asked).toEqual([]);
    await editor.click({ x: 1, y: 0 }, true);
    expect(last("prompt.preview").fields.alone).toBe(false);
    editor.answerTogether(false);
    expect(last("prompt.preview").fields).toMatchObject({ alone: true, clicks: [[1, 0, 1]] });
    last("prompt.preview").answer({ score: 0.5, takes: {} }, encodeRuns(filled(2)));
    await settle();
    expect(editor.drafts.score.value).toBe(0.5);
  });
});

describe("an object that is being added", () => {
  const drawnOn = () => editor.drafts.unfinished.value.map((draft) => draft.object);

  it("has what is drawn from then on, before and after its answer", async () => {
    list(1, 2);
    synced.activeObject.set(2);
    void editor.objects.add();
    dab(1, 1);
    await settle();
    last("object.add").answer({ object: 3 });
    await settle();
    dab(3, 1);
    await settle();
    expect(drawnOn()).toEqual([]);
    list(1, 2, 3);
    await settle();
    expect(drawnOn()).toEqual([3]);
    expect(editor.objects.active.value?.id).toBe(3);
    expect(editor.drafts.current.value?.layers).toHaveLength(2);
  });

  it("may be listed before it is answered", async () => {
    void editor.objects.add();
    list(1, 2);
    last("object.add").answer({ object: 2 });
    dab(1, 1);
    await settle();
    expect(drawnOn()).toEqual([2]);
  });

  it.each([
    ["another has a draft", true],
    ["none has", false],
  ])("is what a commit is of, once something is drawn on it, where %s", async (_, other) => {
    if (other) dab(1, 1);
    await settle();
    void editor.objects.add();
    dab(3, 1);
    void editor.annotations.commit(false);
    list(1, 2);
    last("object.add").answer({ object: 2 });
    await settle();
    expect(count("mask.commit")).toBe(1);
    expect(last("mask.commit").fields.object).toBe(2);
    expect(drawnOn()).toEqual(other ? [1] : []);
  });

  it("leaves a commit to the one in hand while nothing is drawn on it", async () => {
    dab(1, 1);
    await settle();
    void editor.objects.add();
    void editor.annotations.commit(false);
    list(1, 2);
    last("object.add").answer({ object: 2 });
    await settle();
    expect(last("mask.commit").fields.object).toBe(1);
  });

  it("is one for all that is done without any", async () => {
    list();
    void editor.click({ x: 1, y: 0 }, true);
    await settle();
    void editor.click({ x: 2, y: 0 }, true);
    last("object.add").answer({ object: 1 });
    await settle();
    void editor.click({ x: 3, y: 0 }, true);
    list(1);
    await settle();
    expect(count("object.add")).toBe(1);
    expect(editor.drafts.current.value?.clicks).toHaveLength(3);
  });

  it("gets nothing where it is gone by the time it is listed, and the next is drawn on", async () => {
    void editor.objects.add();
    dab(1, 1);
    last("object.add").answer({ object: 2 });
    await settle();
    list(1);
    await settle();
    expect(drawnOn()).toEqual([]);
    dab(1, 1);
    await settle();
    expect(drawnOn()).toEqual([1]);
  });

  it("is none before the kernel has said what there is", async () => {
    [objects.value, state.value] = [[], null];
    await editor.click({ x: 1, y: 0 }, true);
    expect(asked).toEqual([]);
    expect(store.announcement.value).toBe("Waiting for the kernel");
  });
});

describe("an object that is gone", () => {
  beforeEach(async () => {
    list(1, 2);
    synced.activeObject.set(2);
    dab(1, 1);
    await settle();
    list(1);
  });

  it("shows no draft until undo brings it back", () => {
    expect(editor.drafts.allLabels(2)).not.toContain(2);
    expect(editor.drafts.unfinished.value).toEqual([]);
    list(1, 2);
    expect(editor.drafts.allLabels(2)).toContain(2);
    expect(editor.drafts.unfinished.value).toMatchObject([{ frame: 2, object: 2 }]);
  });

  it("leaves no draft to a new one with its id", async () => {
    void editor.objects.add();
    last("object.add").answer({ object: 2 });
    await settle();
    list(1, 2);
    await settle();
    expect(editor.objects.active.value?.id).toBe(2);
    expect(editor.drafts.unfinished.value).toEqual([]);
  });
});

describe("what was begun on a frame that is left", () => {
  const REACH: Reach = { vertex: 1, first: 0.5, drag: 0.5, again: 0 };
  let gestures: Gestures;

  const goOn = () => {
    show(3);
    gestures.leave();
    gestures.move({ x: 5, y: 2 });
    gestures.up({ x: 5, y: 3 });
    return settle();
  };

  beforeEach(() => {
    const size = { width: WIDTH, height: HEIGHT };
    gestures = new Gestures(editor, size, (error) => failures.push(error));
    store.brushSize.value = 1;
  });

  it("is no box of the next", async () => {
    synced.tool.set("box");
    gestures.down({ x: 0, y: 0 }, false, REACH);
    await goOn();
    expect(asked).toEqual([]);
  });

  it("is a stroke that ends there", async () => {
    synced.tool.set("brush");
    gestures.down({ x: 0, y: 0 }, false, REACH);
    await goOn();
    expect(editor.drafts.unfinished.value).toMatchObject([{ frame: 2 }]);
    expect(editor.drafts.allLabels(2)).toEqual(filled(0));
    expect(editor.drafts.on(2)[0].isBusy).toBe(false);
  });

  it("is a vertex that lies where it was", async () => {
    synced.tool.set("polygon");
    for (const x of [0, 4]) await editor.vertex({ x, y: 0 }, false, 0);
    gestures.down({ x: 4, y: 0 }, false, REACH);
    gestures.move({ x: 4, y: 2 });
    await goOn();
    const [draft] = editor.drafts.on(2);
    expect(draft.path?.vertices).toEqual([
      { x: 0, y: 0 },
      { x: 4, y: 0 },
    ]);
    expect(draft.isBusy).toBe(false);
    expect(editor.drafts.on(3)).toEqual([]);
  });
});

describe("a frame whose picture is on its way", () => {
  beforeEach(() => synced.frame.set(3));

  it.each([
    ["clicks", () => editor.click({ x: 1, y: 0 }, true)],
    ["box", () => editor.box([0, 0, 2, 2])],
    ["outline", () => editor.vertex({ x: 1, y: 0 }, false, 0)],
    ["fill", () => editor.fill({ x: 1, y: 0 }, false)],
    ["brush", () => editor.stroke(false)?.end()],
    ["Accept", () => editor.annotations.say("verified")],
    ["Absent", () => editor.annotations.say("absent")],
    ["points", () => editor.verifying.start()],
  ])("is not mistaken for the one on the screen: %s", async (_, act) => {
    void act();
    await settle();
    expect(editor.drafts.on(2)).toEqual([]);
    expect(asked).toEqual([]);
    expect(store.announcement.value).toMatch(/on its way/);
  });

  it("takes what is said and drawn as soon as it is there, coarse as it may be", async () => {
    batch(() => {
      store.shown.value = 3;
      store.coarse.value = true;
    });
    void editor.annotations.say("absent");
    expect(last("mask.commit").fields).toMatchObject({ frame: 3, annotation_type: "absent" });
    await editor.click({ x: 1, y: 0 }, true);
    expect(editor.drafts.on(3)).toHaveLength(1);
  });
});

describe("points to verify", () => {
  it("are proposed once, however often they are asked for", async () => {
    void editor.verifying.start();
    void editor.verifying.start();
    expect(count("points.propose")).toBe(1);
    last("points.propose").answer({ points: [[1, 1, 0]] });
    await settle();
    void editor.verifying.start();
    expect(count("points.propose")).toBe(1);
    expect(editor.verifying.asked.value).toMatchObject({ place: 0, of: 1 });
  });
});

describe("a locked object", () => {
  it("is not drawn on, and says why", async () => {
    objects.value = [object(1, true)];
    const attempts: (() => unknown)[] = [
      () => editor.click({ x: 1, y: 0 }, true),
      () => editor.stroke(true),
      () => editor.fill({ x: 1, y: 0 }, false),
      () => editor.vertex({ x: 1, y: 0 }, false, 0),
      () => editor.objects.mayEdit(),
    ];
    for (const attempt of attempts) {
      store.announcement.value = "";
      await attempt();
      expect(store.announcement.value).toBe("object 1 is locked");
    }
    expect(editor.drafts.unfinished.value).toEqual([]);
    expect(editor.brushes.value).toBe(false);
  });
});

describe.each(["locked", "visible"] as const)("what is switched, %s", (what) => {
  const press = () => {
    const [first] = objects.value ?? [];
    const { objects: all } = editor;
    return what === "locked" ? all.toggleLocked(first) : all.toggleVisible(first);
  };
  const wanted = () => asked.map(({ fields }) => fields[what]);
  /** The kernel's next state. */
  const says = (value: boolean) => {
    objects.value = [{ ...object(1), [what]: value }];
    state.value = { revision: 0, undo: null };
  };
  const before = object(1)[what];

  it("is as it was after two presses, though the kernel has answered neither", async () => {
    void press();
    void press();
    void press();
    expect(wanted()).toEqual([!before, before, !before]);
  });

  it("goes on from what was asked for last until the kernel's state says it", async () => {
    void press();
    void press();
    asked[0].answer({});
    await settle();
    says(!before);
    await settle();
    void press();
    expect(wanted()).toEqual([!before, before, !before]);
    asked[1].answer({});
    asked[2].answer({});
    await settle();
    says(!before);
    await settle();
    void press();
    expect(wanted().at(-1)).toBe(before);
  });

  it("goes on from what the kernel says where it was refused, or somebody else switched it", async () => {
    const refused = press();
    asked[0].refuse(new KernelError("locked", "no."));
    await refused.catch(() => {});
    void press();
    expect(wanted()).toEqual([!before, !before]);
    asked[1].answer({});
    await settle();
    says(!before);
    says(before);
    await settle();
    void press();
    expect(wanted().at(-1)).toBe(!before);
  });
});

describe("an answer that cannot be read", () => {
  it("is told of", async () => {
    await editor.click({ x: 1, y: 0 }, true);
    last("prompt.preview").answer({ score: 0.87 }, Uint32Array.of(3));
    await settle();
    expect(failures).toEqual([expect.any(RangeError)]);
  });
});

describe("the tool in hand", () => {
  const able = (learned: boolean, ...types: string[]) => {
    capabilities.value = { predictor_learned: learned, types } as unknown as Capabilities;
  };

  it("is the brush where the predictor does not take what the chosen one gives", () => {
    for (const tool of ["clicks", "scribble", "box", "polygon"] as const) {
      synced.tool.set(tool);
      able(true, "mask", tool);
      expect(editor.tool.value).toBe(tool);
      able(true, "mask");
      expect(editor.tool.value).toBe(tool === "polygon" ? tool : "brush");
    }
  });

  it("is by itself what a learned predictor is good at, where it takes that", () => {
    able(true, "mask", "clicks");
    expect(editor.tool.value).toBe("clicks");
    able(true, "mask", "box");
    expect(editor.tool.value).toBe("brush");
    able(false, "mask", "clicks");
    expect(editor.tool.value).toBe("brush");
  });
});
