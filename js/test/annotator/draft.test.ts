import fc from "fast-check";
import { beforeEach, describe, expect, it } from "vitest";
import { Draft } from "../../src/annotator/editing/draft";
import { ERASED, PAINTED, polygonLayer } from "../../src/annotator/editing/layers";
import { digestOf, pack, unpack } from "../../src/annotator/editing/packed-drafts";
import { whole } from "../../src/masks/geometry";
import { encodeRuns } from "../../src/masks/runs";

const WIDTH = 8;
const HEIGHT = 6;
const ALL = whole(WIDTH, HEIGHT);
const UNLOCKED = new Uint8Array(256);

let draft: Draft;
beforeEach(() => {
  draft = new Draft(3, 1, WIDTH, HEIGHT);
});

const at = (x: number, y: number) => y * WIDTH + x;
const filled = (...pixels: number[]) => {
  const mask = new Uint8Array(WIDTH * HEIGHT);
  for (const pixel of pixels) mask[pixel] = 1;
  return mask;
};

function composed(committed = new Uint8Array(WIDTH * HEIGHT), locked = UNLOCKED): Uint8Array {
  const labels = committed.slice();
  draft.compose(labels, locked, ALL);
  return labels;
}

function dab(x: number, y: number, value: typeof PAINTED | typeof ERASED = PAINTED): void {
  draft.beginStroke(value);
  draft.extendStroke({ x, y }, { x, y }, 1);
  draft.endStroke();
}

/** A row of pictures without immediate repetitions. */
const distinct = (pictures: Uint8Array[]) =>
  pictures.filter((picture, i) => i === 0 || !picture.every((v, p) => v === pictures[i - 1][p]));

describe("a draft", () => {
  it("changes nothing while it is empty", () => {
    const committed = filled(at(1, 1), at(2, 2));
    expect(composed(committed)).toEqual(committed);
    expect(draft.kind).toBe("none");
  });

  it("adds and takes pixels of its object only", () => {
    const committed = filled(at(0, 0));
    committed[at(5, 5)] = 2;
    dab(1, 0);
    dab(0, 0, ERASED);
    dab(5, 5, ERASED);
    const labels = composed(committed);
    expect(labels[at(1, 0)]).toBe(1);
    expect(labels[at(0, 0)]).toBe(0);
    expect(labels[at(5, 5)]).toBe(2);
  });

  it("takes pixels from other objects unless they are locked", () => {
    const committed = new Uint8Array(WIDTH * HEIGHT);
    committed[at(2, 2)] = 2;
    committed[at(3, 2)] = 3;
    dab(2, 2);
    dab(3, 2);
    const locked = new Uint8Array(256);
    locked[3] = 1;
    const labels = composed(committed, locked);
    expect(labels[at(2, 2)]).toBe(1);
    expect(labels[at(3, 2)]).toBe(3);
  });

  it("shows the prediction in place of what is committed, with strokes on top", () => {
    const committed = filled(at(0, 0));
    dab(4, 4);
    draft.addClick([2, 2, 1]);
    expect(draft.waiting).toBe(true);
    expect(composed(committed)[at(0, 0)]).toBe(1);
    draft.setPrediction(filled(at(2, 2), at(3, 2)));
    expect(draft.waiting).toBe(false);
    dab(3, 2, ERASED);
    const labels = composed(committed);
    expect([at(0, 0), at(2, 2), at(3, 2), at(4, 4)].map((i) => labels[i])).toEqual([0, 1, 0, 1]);
  });

  it("keeps showing the last prediction until the next has come", () => {
    draft.addClick([2, 2, 1]);
    draft.setPrediction(filled(at(2, 2)));
    draft.addClick([5, 5, 0]);
    expect(draft.waiting).toBe(true);
    expect(composed()[at(2, 2)]).toBe(1);
    expect(draft.clicks).toEqual([
      [2, 2, 1],
      [5, 5, 0],
    ]);
  });

  it("takes back a click with its prediction, and brings both again", () => {
    draft.addClick([2, 2, 1]);
    draft.setPrediction(filled(at(2, 2)));
    draft.addClick([5, 5, 1]);
    draft.setPrediction(filled(at(2, 2), at(5, 5)));
    expect(draft.undo()).toBe(true);
    expect(draft.clicks).toEqual([[2, 2, 1]]);
    expect(composed()[at(5, 5)]).toBe(0);
    expect(draft.redo()).toBe(true);
    expect(composed()[at(5, 5)]).toBe(1);
    expect(draft.waiting).toBe(false);
  });

  it("takes back the stroke in progress before anything else", () => {
    dab(1, 1);
    draft.beginStroke(PAINTED);
    draft.extendStroke({ x: 4, y: 4 }, { x: 5, y: 4 }, 1);
    expect(draft.undo()).toBe(true);
    expect(composed()[at(4, 4)]).toBe(0);
    expect(composed()[at(1, 1)]).toBe(1);
    // The pointer may go on; without a stroke it leaves nothing behind.
    draft.extendStroke({ x: 6, y: 4 }, { x: 6, y: 4 }, 1);
    draft.endStroke();
    expect(composed()[at(6, 4)]).toBe(0);
    expect(draft.canRedo).toBe(false);
  });

  it("forgets a prompt that could not be answered and keeps the strokes", () => {
    draft.addClick([2, 2, 1]);
    dab(1, 1);
    draft.dropPrompt();
    expect(draft.kind).toBe("brush");
    expect(draft.clicks).toEqual([]);
    expect(draft.waiting).toBe(false);
  });

  it("is named after what matters most in it", () => {
    draft.setBox([0, 0, 4, 4]);
    expect(draft.kind).toBe("box");
    draft.addClick([1, 1, 1]);
    expect(draft.kind).toBe("clicks");
    expect(draft.box).toEqual([0, 0, 4, 4]);
    dab(0, 0);
    expect(draft.kind).toBe("brush");
  });

  it("turns an outline into a mask when it closes, and takes it back vertex by vertex", () => {
    for (const [x, y] of [
      [1, 1],
      [5, 1],
      [5, 4],
      [1, 4],
    ])
      draft.addVertex({ x: x - 0.5, y: y - 0.5 }, PAINTED);
    expect(draft.kind).toBe("polygon");
    expect(composed().some(Boolean)).toBe(false);
    draft.closePath();
    expect(draft.path).toBeNull();
    expect(composed().reduce((sum, label) => sum + label, 0)).toBe(12);
    expect(draft.undo()).toBe(true);
    expect(draft.path?.vertices).toHaveLength(4);
    draft.undo();
    expect(draft.path?.vertices).toHaveLength(3);
    expect(draft.lastStep).toBe("vertex");
  });

  it("does not close an outline without an inside, and leaves one in a single step", () => {
    draft.addVertex({ x: 1, y: 1 }, PAINTED);
    draft.addVertex({ x: 5, y: 1 }, PAINTED);
    expect(draft.closePath()).toBeNull();
    draft.leavePath();
    expect(draft.kind).toBe("none");
    draft.undo();
    expect(draft.path?.vertices).toHaveLength(2);
  });

  it("moves the vertices of a polygon that strokes lie on, as one step", () => {
    const corners = [
      { x: -0.5, y: -0.5 },
      { x: 3.5, y: -0.5 },
      { x: 3.5, y: 3.5 },
      { x: -0.5, y: 3.5 },
    ];
    for (const corner of corners) draft.addVertex(corner, PAINTED);
    draft.closePath();
    dab(1, 1, ERASED);
    draft.beginMove({ polygon: 0, vertex: 2 });
    draft.move({ x: 7.5, y: 3.5 });
    draft.move({ x: 7.5, y: 5.5 });
    draft.endMove();
    expect(composed()[at(4, 3)]).toBe(1);
    expect(composed()[at(1, 1)]).toBe(0);
    draft.undo();
    expect(draft.polygons[0].vertices).toEqual(corners);
    expect(composed()[at(4, 3)]).toBe(0);
    expect(composed()[at(1, 1)]).toBe(0);
    draft.redo();
    expect(composed()[at(4, 3)]).toBe(1);
  });

  it("has no step for a vertex that was taken hold of and not moved, or given up", () => {
    for (const x of [1, 5, 3]) draft.addVertex({ x, y: x % 4 }, PAINTED);
    const before = draft.path;
    draft.beginMove({ polygon: -1, vertex: 1 });
    draft.endMove();
    expect(draft.lastStep).toBe("vertex");
    draft.beginMove({ polygon: -1, vertex: 1 });
    draft.move({ x: 7, y: 5 });
    expect(draft.undo()).toBe(true);
    expect(draft.path).toEqual(before);
  });

  it("fills and takes away whole regions", () => {
    const rect = { x0: 2, y0: 1, x1: 4, y1: 3 };
    draft.fill(PAINTED, rect, [at(2, 1), at(4, 1), at(3, 2), at(4, 2)]);
    expect([at(2, 1), at(3, 1), at(2, 2), at(3, 2)].map((i) => composed()[i])).toEqual([
      1, 1, 0, 1,
    ]);
    draft.undo();
    expect(composed().some(Boolean)).toBe(false);
  });

  it("asks again with a scribble beside what was given before", () => {
    draft.addClick([2, 2, 1]);
    draft.setPrediction(filled(at(2, 2)));
    draft.addScribble({ points: [[4, 4]], positive: false });
    expect(draft.waiting).toBe(true);
    expect(draft.kind).toBe("scribble");
    expect(draft.clicks).toHaveLength(1);
    expect(draft.scribbles).toHaveLength(1);
    draft.dropPrompt();
    expect(draft.kind).toBe("clicks");
    expect(draft.waiting).toBe(false);
    expect(draft.undo()).toBe(true);
    expect(draft.isEmpty).toBe(true);
  });

  it("undoes and redoes any sequence of strokes and polygons exactly", () => {
    const strokes = fc.array(
      fc.record({
        x: fc.integer({ min: -2, max: WIDTH + 2 }),
        y: fc.integer({ min: -2, max: HEIGHT + 2 }),
        to: fc.integer({ min: 0, max: WIDTH }),
        size: fc.integer({ min: 1, max: 6 }),
        polygon: fc.boolean(),
        value: fc.constantFrom(PAINTED, ERASED) as fc.Arbitrary<typeof PAINTED | typeof ERASED>,
      }),
      { minLength: 1, maxLength: 8 },
    );
    fc.assert(
      fc.property(strokes, (sequence) => {
        draft = new Draft(0, 1, WIDTH, HEIGHT);
        const seen = [composed()];
        for (const { x, y, to, size, polygon, value } of sequence) {
          if (polygon) {
            draft.addVertex({ x, y }, value);
            draft.addVertex({ x: to, y }, value);
            draft.addVertex({ x: to, y: y + size }, value);
            draft.closePath();
          } else {
            draft.beginStroke(value);
            draft.extendStroke({ x, y }, { x: to, y }, size);
            draft.endStroke();
          }
          seen.push(composed());
        }
        const back = [composed()];
        while (draft.undo()) if (!draft.path) back.push(composed());
        expect(distinct(back)).toEqual(distinct(seen.toReversed()));
        while (draft.redo());
        expect(composed()).toEqual(seen.at(-1));
      }),
    );
  });
});

describe("a draft over a reload", () => {
  const size = { width: WIDTH, height: HEIGHT };
  const over = (packed: unknown) => unpack(JSON.parse(JSON.stringify(packed)), size);

  it("is the same, whatever was drawn in it, and one step to take back", () => {
    const committed = filled(at(4, 4), at(5, 4));
    dab(1, 1);
    dab(4, 4, ERASED);
    for (const [x, y] of [
      [1.5, 1.5],
      [6.5, 1.5],
      [6.5, 3.5],
    ])
      draft.addVertex({ x, y }, PAINTED);
    draft.closePath();
    draft.addVertex({ x: 2, y: 2 }, ERASED);
    const shown = composed(committed);
    const { polygons, path } = draft;
    draft = over(pack(draft, 7));
    expect(composed(committed)).toEqual(shown);
    expect(draft.polygons).toEqual(polygons);
    expect(draft.path).toEqual(path);
    expect(draft.kind).toBe("brush");
    draft.undo();
    expect(composed(committed)).toEqual(committed);
  });

  it("asks for its prompts again", () => {
    draft.addClick([1, 1, 1]);
    draft.setPrediction(filled(at(1, 1)), 0.9);
    draft.addClick([2, 1, 0]);
    draft = over(pack(draft, 7));
    expect(draft.clicks).toEqual([
      [1, 1, 1],
      [2, 1, 0],
    ]);
    expect(draft.waiting).toBe(true);
  });

  it("goes on from what was committed before it", () => {
    const layer = polygonLayer(WIDTH, HEIGHT, {
      value: PAINTED,
      vertices: [
        { x: 0.5, y: 0.5 },
        { x: 3.5, y: 0.5 },
        { x: 3.5, y: 3.5 },
      ],
    });
    draft = new Draft(3, 1, WIDTH, HEIGHT, { layers: [layer], base: filled(at(7, 5)) });
    const committed = Uint8Array.from(composed(filled(at(7, 5))));
    draft.beginMove({ polygon: 0, vertex: 1 });
    draft.move({ x: 1.5, y: 0.5 });
    draft.endMove();
    const shown = composed(committed);
    draft = over(pack(draft, 7));
    expect(composed(committed)).toEqual(shown);
    expect(shown[at(7, 5)]).toBe(1);
  });

  it("knows other masks by their digest", () => {
    const digests = [filled(), filled(1), filled(2), filled(1, 2)].map((m) =>
      digestOf(encodeRuns(m)),
    );
    expect(new Set(digests).size).toBe(4);
  });
});
