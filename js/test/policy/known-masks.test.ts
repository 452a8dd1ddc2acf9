import { beforeEach, describe, expect, it } from "vitest";
import { encodeRuns } from "../../src/masks/runs";
import { KnownMasks, keyOf, type Look } from "../../src/policy/known-masks";

/** What was asked for and has no answer yet. */
let asked: { look: Look; answer(runs: Uint32Array | null): void }[];
let masks: KnownMasks;

const look = (round: number, frame = 10 * round): Look => ({ round, frame, object: 1 });
const runs = (label: number) => encodeRuns(new Uint8Array(4).fill(label));
const known = () => [...masks.runs.value.keys()];
const answer = async (made: Uint32Array | null) => {
  asked.shift()?.answer(made);
  await new Promise((resolve) => setTimeout(resolve, 0));
};

beforeEach(() => {
  asked = [];
  const ask = (_: string, fields: Look) =>
    new Promise((resolve) => {
      const told = (made: Uint32Array | null) => resolve(made && { fields: {}, buffers: [made] });
      asked.push({ look: fields, answer: told });
    });
  masks = new KnownMasks({ ask } as never);
});

describe("the masks of rounds", () => {
  it("come one at a time, that of what is shown by then first", async () => {
    masks.want(1, [look(3), look(2), look(4)]);
    expect(asked).toMatchObject([{ look: look(3) }]);
    masks.want(1, [look(3, 7), look(3), look(2), look(4)]);
    await answer(runs(1));
    expect(asked).toMatchObject([{ look: look(3, 7) }]);
    for (const label of [0, 1, 1]) await answer(runs(label));
    expect(asked).toEqual([]);
    expect(known()).toEqual([look(3), look(3, 7), look(2), look(4)].map(keyOf));
    expect(masks.runs.value.get(keyOf(look(3, 7)))).toEqual(runs(0));
  });

  it("are asked for anew when the session has changed, and an answer from before is dropped", async () => {
    masks.want(1, [look(0), look(1)]);
    await answer(runs(1));
    masks.want(2, [look(0)]);
    expect(known()).toEqual([]);
    await answer(runs(1));
    expect(known()).toEqual([]);
    await answer(runs(0));
    expect(masks.runs.value.get(keyOf(look(0)))).toEqual(runs(0));
  });

  it("are not asked for again and again where one is refused", async () => {
    masks.want(1, [look(0), look(1)]);
    await answer(null);
    expect(asked).toEqual([]);
    masks.want(1, [look(1)]);
    expect(asked).toHaveLength(1);
  });
});
