import { expect, it } from "vitest";
import { brushFor } from "../../src/annotator/store";

it.each([
  [854, 480, 24],
  [480, 854, 24],
  [1920, 1080, 53],
  [64, 48, 2],
  [8, 8, 2],
])("the brush is the same part of a picture of %i x %i", (width, height, diameter) => {
  expect(brushFor(width, height)).toBe(diameter);
});
