import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { ActionTable } from "../../src/ui/actions";
import { Commands } from "../../src/ui/commands";
import { listenToKeys } from "../../src/ui/keys";

/** An element without a page. */
class Plain {
  isContentEditable = false;
  constructor(readonly tagName: string) {}
  closest(tag: string) {
    return tag === this.tagName.toLowerCase() ? this : null;
  }
}

const row = new Plain("BUTTON");
const picture = new Plain("DIV");
let done: string[];
let hear: (type: string, target: Plain, more?: object) => void;

/** Whether the key was kept from what has the focus. */
function press(key: string, target: Plain): boolean {
  const preventDefault = vi.fn();
  hear("keydown", target, { key, code: key, preventDefault });
  hear("keyup", target, { key, code: key, preventDefault });
  return preventDefault.mock.calls.length > 0;
}

beforeEach(() => {
  vi.stubGlobal("HTMLElement", Plain);
  vi.stubGlobal("window", { addEventListener: () => {} });
  done = [];
  const action = (id: string, keys: string[]) => {
    return { id, group: "Work", label: id, keys, run: () => void done.push(id) };
  };
  const table = new ActionTable([action("commit", ["Enter"]), action("play", ["Space"])]);
  const { signal } = new AbortController();
  const commands = new Commands(
    table,
    null,
    "keys",
    () => {},
    () => {},
    signal,
  );
  const heard: Record<string, (event: object) => void> = {};
  const root = {
    contains: () => true,
    addEventListener: (type: string, listener: () => void) => {
      heard[type] = listener;
    },
  };
  listenToKeys(root as never, commands as never, signal);
  hear = (type, target, more = {}) => {
    const path = { target, composedPath: () => [target] };
    const rest = {
      stopPropagation: () => {},
      getModifierState: () => false,
      relatedTarget: picture,
    };
    heard[type]({ ...path, ...rest, ...more });
  };
});

afterEach(() => vi.unstubAllGlobals());

describe("Enter and Space on a button", () => {
  it("are its own where it was come to by keys", async () => {
    expect([press("Enter", row), press(" ", row)]).toEqual([false, false]);
    await Promise.resolve();
    expect(done).toEqual([]);
  });

  it("do what the screen says where it was pressed with a pointer", async () => {
    hear("pointerdown", row);
    expect([press("Enter", row), press(" ", row)]).toEqual([true, true]);
    await Promise.resolve();
    expect(done).toEqual(["commit", "play"]);
  });

  it("are its own again once the focus went elsewhere and came back", async () => {
    hear("pointerdown", row);
    hear("focusout", row);
    expect(press("Enter", row)).toBe(false);
    await Promise.resolve();
    expect(done).toEqual([]);
  });
});
