import { describe, expect, it } from "vitest";
import { nameAmong } from "../../src/ui/object-names";

const objects = [
  { id: 1, name: "small girl" },
  { id: 2, name: "cup" },
  { id: 11, name: "small girl" },
];

describe("what an object is called", () => {
  it.each([
    [1, "1 small girl"],
    [11, "11 small girl"],
    [2, "cup"],
    [3, "object 3"],
  ])("%d is %s", (id, called) => {
    expect(nameAmong(id, objects)).toBe(called);
  });

  it("is its name alone once the other has another one", () => {
    expect(nameAmong(11, objects.slice(1))).toBe("small girl");
  });
});
