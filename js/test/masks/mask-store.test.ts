import { beforeEach, describe, expect, it } from "vitest";
import { Masks } from "../../src/masks/mask-store";

let revisions: number[];
let asked: number[][];
let updated: number[][];
let failures: unknown[];
let answer: () => void;
let refuse: (error: Error) => void;
let masks: Masks;

beforeEach(() => {
  revisions = Array(40).fill(1);
  asked = [];
  updated = [];
  failures = [];
  masks = new Masks(
    (frame) => revisions[frame],
    (frames) => {
      asked.push(frames);
      return new Promise((resolve, reject) => {
        answer = resolve;
        refuse = reject;
      });
    },
    (frames) => updated.push(frames),
    (error) => failures.push(error),
  );
});

const place = (frame: number, revision: number, offset = 0, length = 1) => ({
  frame,
  revision,
  offset,
  length,
});

describe("masks", () => {
  it("are cut out of the one buffer they came in", () => {
    masks.accept([place(4, 1, 0, 1), place(5, 1, 1, 2)], Uint32Array.of(7, 8, 9));
    expect(masks.get(4)).toEqual(Uint32Array.of(7));
    expect(masks.get(5)).toEqual(Uint32Array.of(8, 9));
    expect(updated).toEqual([[4, 5]]);
  });

  it("of an older revision are dropped", () => {
    masks.accept([place(4, 3)], Uint32Array.of(30));
    masks.accept([place(4, 2)], Uint32Array.of(20));
    expect(masks.get(4)).toEqual(Uint32Array.of(30));
    expect(updated).toEqual([[4]]);
  });

  it("are asked for once, and again when the kernel has newer ones", async () => {
    masks.want([1, 2]);
    masks.want([1, 2, 3]);
    expect(asked).toEqual([[1, 2], [3]]);
    masks.accept([place(3, 1)], Uint32Array.of(1));
    answer();
    await new Promise((resolve) => setTimeout(resolve, 0));
    masks.want([3]);
    expect(asked).toHaveLength(2);
    revisions[3] = 2;
    masks.want([3]);
    expect(asked[2]).toEqual([3]);
  });

  it("that could not be fetched are told of, and asked for again", async () => {
    masks.want([1]);
    refuse(new Error("no"));
    await new Promise((resolve) => setTimeout(resolve, 0));
    expect(failures).toEqual([new Error("no")]);
    masks.want([1]);
    expect(asked).toEqual([[1], [1]]);
  });

  it("taken for granted after a commit give way to the kernel's next revision", () => {
    masks.accept([place(4, 3)], Uint32Array.of(30));
    masks.assume(4, Uint32Array.of(99));
    expect(masks.get(4)).toEqual(Uint32Array.of(99));
    masks.accept([place(4, 4)], Uint32Array.of(40));
    expect(masks.get(4)).toEqual(Uint32Array.of(40));
  });

  it("remember what the last change took the place of", () => {
    masks.accept([place(4, 1)], Uint32Array.of(7));
    expect(masks.before(4)).toBeNull();
    masks.assume(4, Uint32Array.of(8));
    masks.accept([place(4, 2)], Uint32Array.of(8));
    expect(masks.before(4)).toEqual(Uint32Array.of(7));
    masks.accept([place(4, 3)], Uint32Array.of(9));
    expect(masks.before(4)).toEqual(Uint32Array.of(8));
  });
});
