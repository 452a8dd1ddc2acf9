import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { following, leastCertain } from "../../src/annotator/landmarks";

const frames = fc.uniqueArray(fc.nat(50), { maxLength: 12 });

describe("the next of some frames", () => {
  it("is the nearest ahead, and begins again past the end", () => {
    expect(following([3, 9, 40], 5, 1)).toBe(9);
    expect(following([3, 9, 40], 5, -1)).toBe(3);
    expect(following([3, 9, 40], 40, 1)).toBe(3);
    expect(following([3, 9, 40], 3, -1)).toBe(40);
    expect(following([7], 7, 1)).toBeNull();
  });

  it("leads through all of them and back to where it began", () => {
    fc.assert(
      fc.property(frames, fc.constantFrom(1, -1), (among, direction) => {
        fc.pre(among.length > 1);
        const visited: number[] = [];
        let at = among[0];
        for (const _ of among) {
          at = following(among, at, direction) ?? -1;
          visited.push(at);
        }
        expect(at).toBe(among[0]);
        expect([...visited].sort()).toEqual([...among].sort());
      }),
    );
  });
});

describe("the least certain frame", () => {
  it("is the lowest ahead, else the lowest anywhere; what is certain or unknown is none", () => {
    const quality = [1, 0.4, 0.8, null, 0.6, 0.7, 1];
    expect(leastCertain(quality, 2, 1)).toBe(4);
    expect(leastCertain(quality, 2, -1)).toBe(1);
    expect(leastCertain(quality, 5, 1)).toBe(1);
    expect(leastCertain([1, null, 1], 0, 1)).toBeNull();
    expect(leastCertain([], 0, 1)).toBeNull();
  });
});
