import { describe, expect, it } from "vitest";
import { doubts, isLost, leastCertain, unannotated } from "../../src/annotator/landmarks";
import type { State } from "../../src/annotator/messages";
import { isJudged } from "../../src/annotator/panels/curve";

const state = (changes: Partial<State>) =>
  ({ annotated: [], quality: [], lost: {}, ...changes }) as State;
const drawn = (...frames: number[]) =>
  frames.map((frame) => ({ frame, objects: [1], absent: [], corrected: [], verified: [] }));

describe("a lost object", () => {
  const lost = state({ quality: [1, 0.96, 0.96, 0.7, 0.96], lost: { "1": [], "4": [[1, 2]] } });

  it("is the least certain there is, however well its empty mask is judged", () => {
    expect(doubts(lost)).toEqual([1, 0, 0, 0.7, 0.96]);
    expect(leastCertain(doubts(lost), 0, 1)).toBe(1);
  });

  it("is lost on its own frames only", () => {
    expect([0, 1, 2, 3].map((frame) => isLost(lost, 4, frame))).toEqual([false, true, true, false]);
    expect(isLost(lost, 1, 1)).toBe(false);
    expect(isLost(lost, 7, 1)).toBe(false);
  });
});

describe("an object of which nothing is annotated", () => {
  it("is told from one that is said to be absent somewhere", () => {
    const objects = [1, 2, 3].map((id) => ({ id })) as State["objects"];
    const absent = { frame: 4, objects: [3], absent: [3], corrected: [], verified: [] };
    const here = state({ objects, annotated: [...drawn(0, 2), absent] });
    expect(unannotated(here).map(({ id }) => id)).toEqual([2]);
    expect(unannotated(state({ objects })).map(({ id }) => id)).toEqual([1, 2, 3]);
  });
});

describe("quality", () => {
  it("is predicted of nothing where only drawn frames are known", () => {
    expect(isJudged(state({ annotated: drawn(1), quality: [null, 1, null] }))).toBe(false);
    expect(isJudged(state({ annotated: drawn(1), quality: [0.8, 1, null] }))).toBe(true);
    expect(isJudged(state({ annotated: drawn(0, 1), quality: [1, 1] }))).toBe(true);
  });
});
