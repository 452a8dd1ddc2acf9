import { describe, expect, it } from "vitest";
import { proposal, standing } from "../../src/campaign/words";
import type { Round } from "../../src/policy/messages";
import { inThousand, number, rise, summary, what } from "../../src/policy/words";

const one = [{ id: 3, name: "dog", color: "#e69f00" }];
const two = [...one, { id: 7, name: "the girl on the left", color: "#56b4e9" }];

describe("a small number", () => {
  it("is not shown as none", () => {
    expect(rise(0.0004)).toBe("+0.0004");
    expect(rise(-0.00002)).toBe("−0.00002");
    expect(number(0.004, 2)).toBe("0.004");
    expect(inThousand(0.0000017)).toBe("+0.002");
  });

  it("is none where only single precision sees it", () => {
    expect(rise(3e-8)).toBe("0");
    expect(rise(-3e-8)).toBe("0");
    expect(rise(0)).toBe("0");
    expect(number(0, 2)).toBe("0.00");
  });

  it("keeps its digits otherwise", () => {
    expect(rise(0.12345)).toBe("+0.123");
    expect(rise(-0.0009)).toBe("−0.001");
    expect(number(0.996, 2)).toBe("1.00");
    expect(inThousand(0.01893)).toBe("+18.93");
  });
});

describe("what is not known", () => {
  it("is a dash, and so is a rise over no time", () => {
    expect(rise(null)).toBe("–");
    expect(number(undefined)).toBe("–");
    expect(inThousand(0.2 / 0)).toBe("–");
    expect(inThousand(0 / 0)).toBe("–");
  });
});

describe("what was made", () => {
  const made = { kind: "clicks", frame: 79, object: 7, seconds: 5.5 };

  it("says of which object where there are several", () => {
    expect(what(made, two)).toBe("clicks on frame 79 of the girl on the left");
    expect(what({ ...made, object: 9 }, two)).toBe("clicks on frame 79 of object 9");
    expect(what({ ...made, object: 3 }, one)).toBe("clicks on frame 79");
  });

  it("is told apart from what was asked of another object on the same frame", () => {
    const asked = { ...made, object: 3, reason: "", predicted: null, expected_gain: 0.1 };
    const round = { round: 9, spent: 60, made, asked, followed: false } as unknown as Round;
    expect(summary(round, two)).toBe(
      "After 1 min: clicks on frame 79 of the girl on the left, 5.5 s. " +
        "The policy asks for clicks on frame 79 of dog.",
    );
  });
});

describe("a round in which nothing was made", () => {
  const round = { round: 0, spent: 0, made: null, asked: null, followed: false } as never;

  it("is not called the end before there is an object", () => {
    expect(summary(round, [])).toBe("There is no object yet.");
    expect(summary(round, one)).toBe("After 0 s, nothing is left to ask.");
  });
});

describe("a video of a campaign that failed", () => {
  it("says why, and no promise", () => {
    const entry = {
      ...{ video: "fast", status: "failed" as const, seconds: 80, rounds: 0, predicted: null },
      ...{ sure: null, frame: null, object: null, kind: null, gain: 0, cost: 0, rate: 0 },
      ...{ basis: "frame" as const, reason: "there is no file or folder fast." },
    };
    expect(standing(entry, 0.9)).toBe("left out, since this went wrong:");
    expect(proposal(entry)).toBe("There is no file or folder fast.");
  });
});
