import { signal } from "@preact/signals";
import { describe, expect, it } from "vitest";
import { Answers } from "../../src/verifier/answers";
import type { ObjectInfo, State } from "../../src/verifier/messages";
import { outcome, pace } from "../../src/verifier/words";

const object = (answers: string): ObjectInfo => ({
  id: 3,
  name: "dog",
  color: "#e69f00",
  skipped: false,
  answers,
});

const state = (revision: number, answers = "...."): State => ({
  revision,
  phase: "ready",
  done: 0,
  total: 0,
  objects: [object(answers)],
  seconds_per_point: null,
  agreement: null,
  saved: null,
});

describe("answers", () => {
  it("count once they are on disk, and lead to the next point before", () => {
    const kernel = signal<State | null>(state(5));
    const answers = new Answers(kernel);
    const dog = object("....");
    answers.send(3, 0, "positive");
    expect(answers.of(dog, 0)).toBe("positive");
    expect(answers.next(dog, 0)).toBe(1);
    expect([answers.saved(dog), answers.waiting.value]).toEqual([0, 1]);
    answers.arrived(3, 0, "positive", 6);
    expect([answers.saved(dog), answers.waiting.value]).toEqual([1, 0]);
  });

  it("that are refused are asked again", () => {
    const answers = new Answers(signal<State | null>(state(5)));
    const dog = object("+...");
    answers.send(3, 1, "unknown");
    answers.refused(3, 1);
    expect([answers.of(dog, 1), answers.next(dog)]).toEqual([null, 1]);
  });

  it("are those of the kernel once it has heard of them, so that undo is seen", () => {
    const kernel = signal<State | null>(state(5));
    const answers = new Answers(kernel);
    answers.send(3, 0, "negative");
    answers.arrived(3, 0, "negative", 6);
    kernel.value = state(6, "-...");
    expect(answers.of(object("-..."), 0)).toBe("negative");
    kernel.value = state(7);
    expect(answers.of(object("...."), 0)).toBeNull();
  });

  it("change what was said: the old answer stays on disk until the new one is", () => {
    const answers = new Answers(signal<State | null>(state(5, "+?..")));
    const dog = object("+?..");
    answers.send(3, 0, "negative");
    expect([answers.of(dog, 0), answers.saved(dog), answers.isSaved(dog, 0)]).toEqual([
      "negative",
      2,
      true,
    ]);
    answers.refused(3, 0);
    expect(answers.of(dog, 0)).toBe("positive");
  });

  it("are looked for behind a point first, then from the start", () => {
    const answers = new Answers(signal<State | null>(state(5)));
    expect(answers.next(object(".+.+"), 1)).toBe(2);
    expect(answers.next(object(".+++"), 1)).toBe(0);
    expect(answers.next(object("++-?"), 1)).toBe(-1);
    expect(answers.next(object(""), 0)).toBe(-1);
  });
});

describe("how fast it goes", () => {
  it("is told in words", () => {
    expect(pace(null, 40)).toBe("");
    expect(pace(0.95, 40)).toBe("0.95 s per point, 63 per minute, about 38 s left");
    expect(pace(0.95, 0)).toBe("0.95 s per point, 63 per minute");
  });

  it("ends with what came out", () => {
    const agreement = { answered: 10, agreed: 8, unknown: 1 };
    expect(outcome(state(1), 1, 0)).toBe("1 point is answered and on disk.");
    expect(outcome({ ...state(1), agreement }, 200, 0)).toBe(
      "200 points are answered and on disk. Of 10 control points, 8 were answered as known and 1 could not be told.",
    );
  });

  it("ends with what was skipped, where that is left", () => {
    expect(outcome(state(1), 13, 87)).toBe(
      "13 points are answered and on disk. 87 points are left of what was skipped; it can be taken up again.",
    );
    expect(outcome(state(1), 0, 1)).toContain("1 point is left of what was skipped");
  });
});
