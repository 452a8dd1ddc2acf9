import { describe, expect, it } from "vitest";
import { LEVELS, levelOf, qualityRuns } from "../../src/annotator/panels/quality";
import { ago, seconds } from "../../src/ui/format";

describe("numbers for people", () => {
  it.each([
    [5.5, "5.5 s"],
    [4, "4 s"],
    [9.97, "10 s"],
    [59.6, "1 min"],
    [80, "1 min 20 s"],
  ])("a duration of %d", (value, text) => {
    expect(seconds(value)).toBe(text);
  });

  it.each([
    [2, "just now"],
    [44, "40 s ago"],
    [200, "3 min ago"],
    [7300, "2 h ago"],
  ])("%d seconds ago", (value, text) => {
    expect(ago(value)).toBe(text);
  });
});

describe("levels of quality", () => {
  it("span the whole range and know what is unknown", () => {
    expect(levelOf(0)).toBe(0);
    expect(levelOf(1)).toBe(LEVELS - 1);
    expect(levelOf(null)).toBeNull();
  });

  it("join neighbours of one level and leave gaps where nothing is known", () => {
    expect(qualityRuns([1, 1, null, 1, 0.2])).toEqual([
      { start: 0, end: 2, level: LEVELS - 1 },
      { start: 3, end: 4, level: LEVELS - 1 },
      { start: 4, end: 5, level: 0 },
    ]);
  });
});
