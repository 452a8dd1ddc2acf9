import { beforeEach, describe, expect, it, vi } from "vitest";
import { step } from "../../src/ui/roving";

let focused: string;
let entries: HTMLElement[];

beforeEach(() => {
  focused = "";
  entries = ["a", "b", "c"].map((name) => {
    const focus = () => {
      focused = name;
    };
    return { focus } as HTMLElement;
  });
});

/** Whether the key was kept from everything else. */
function press(at: number, key: string, more: object = {}): boolean {
  const kept = vi.fn();
  const event = { key, target: entries[at], preventDefault: kept, stopPropagation: () => {} };
  step({ ...event, ...more } as never, entries, "ArrowUp", "ArrowDown");
  return kept.mock.calls.length > 0;
}

describe("the entries of a menu", () => {
  it.each([
    [0, "ArrowDown", "b"],
    [2, "ArrowDown", "a"],
    [0, "ArrowUp", "c"],
    [1, "Home", "a"],
    [1, "End", "c"],
  ])("from %d by %s is %s", (at, key, to) => {
    expect(press(at, key)).toBe(true);
    expect(focused).toBe(to);
  });

  it("leave other keys, and the same with Ctrl, to others", () => {
    expect([press(0, "ArrowRight"), press(0, "ArrowDown", { ctrlKey: true })]).toEqual([
      false,
      false,
    ]);
    expect([press(3, "ArrowDown"), focused]).toEqual([false, ""]);
  });
});
