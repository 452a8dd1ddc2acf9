import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ACTIONS, action } from "../../src/annotator/actions/table";
import {
  bindingsOf,
  clash,
  type Keymap,
  keysIn,
  parse,
  rebind,
  restore,
} from "../../src/ui/keymap";

const NONE: Keymap = {};
const own = ACTIONS.filter((a) => !a.via);
const someAction = fc.constantFrom(...own);
const someKey = fc.constantFrom("b", "e", "Enter", "ArrowLeft", "Mod+z", "F2", "1", "w");
const changes = fc.array(fc.record({ wanted: someAction, key: someKey, back: fc.boolean() }), {
  maxLength: 12,
});

const changed = (list: { wanted: (typeof own)[number]; key: string; back: boolean }[]) =>
  list.reduce<Keymap>(
    (keymap, { wanted, key, back }) =>
      back ? restore(keymap, wanted) : rebind(keymap, wanted, key),
    NONE,
  );

describe("the keymap", () => {
  it("never gives a key to two actions of a context, whatever is changed", () => {
    fc.assert(
      fc.property(changes, (list) => {
        const keymap = changed(list);
        for (const each of own) {
          for (const key of keysIn(keymap, each)) {
            expect(clash(keymap, each, key), `${each.id} ${key}`).toBeNull();
          }
        }
      }),
    );
  });

  it("comes back from the storage as it was", () => {
    fc.assert(
      fc.property(changes, (list) => {
        const keymap = changed(list);
        expect(parse(JSON.stringify(keymap))).toEqual(keymap);
      }),
    );
  });

  it("names the action that has a key already, and takes the key from it", () => {
    const brush = action("tool.brush");
    expect(clash(NONE, brush, "e")?.label).toBe("Eraser");
    const keymap = rebind(NONE, brush, "e");
    expect(keysIn(keymap, brush)).toEqual(["e"]);
    expect(keysIn(keymap, action("tool.eraser"))).toEqual([]);
    expect(bindingsOf(keymap).has("b")).toBe(false);
  });

  it("lets the crosshair and an open outline share keys, and asks them first", () => {
    const sharing = bindingsOf(NONE).get("Enter") ?? [];
    expect(sharing.map((a) => a.id)).toEqual(["crosshair.place", "polygon.close", "confirm"]);
    expect(clash(NONE, action("polygon.close"), "Enter")).toBeNull();
  });

  it("gives an action its own keys back, from whoever has them by now", () => {
    const [brush, eraser] = [action("tool.brush"), action("tool.eraser")];
    const keymap = restore(rebind(rebind(NONE, brush, "w"), eraser, "b"), brush);
    expect(keysIn(keymap, brush)).toEqual(["b"]);
    expect(keysIn(keymap, eraser)).toEqual([]);
  });

  it("follows an action that another leads to", () => {
    const keymap = rebind(NONE, action("confirm"), "w");
    expect(keysIn(keymap, action("commit"))).toEqual(["w"]);
  });

  it("leaves out what was stored by something else", () => {
    expect(parse("no json")).toEqual({});
    expect(parse("[1]")).toEqual({});
    expect(parse(null)).toEqual({});
    expect(parse('{"fly": ["w"], "tool.box": "w", "tool.brush": ["w"]}')).toEqual({
      "tool.brush": ["w"],
    });
  });
});
