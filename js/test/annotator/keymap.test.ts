import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ACTIONS } from "../../src/annotator/actions/table";
import { Keymap, parse } from "../../src/ui/keymap";

const OWN_KEYS = new Keymap(ACTIONS);
const action = (id: string) => ACTIONS.get(id);
const own = ACTIONS.actions.filter((a) => !a.via);
const someAction = fc.constantFrom(...own);
const someKey = fc.constantFrom("b", "e", "Enter", "ArrowLeft", "Mod+z", "F2", "1", "w");
const changes = fc.array(fc.record({ wanted: someAction, key: someKey, back: fc.boolean() }), {
  maxLength: 12,
});

const changed = (list: { wanted: (typeof own)[number]; key: string; back: boolean }[]) =>
  list.reduce(
    (keymap, { wanted, key, back }) => (back ? keymap.restore(wanted) : keymap.rebind(wanted, key)),
    OWN_KEYS,
  );

describe("the keymap", () => {
  it("never gives a key to two actions of a context, whatever is changed", () => {
    fc.assert(
      fc.property(changes, (list) => {
        const keymap = changed(list);
        for (const each of own) {
          for (const key of keymap.keysOf(each)) {
            expect(keymap.clash(each, key), `${each.id} ${key}`).toBeNull();
          }
        }
      }),
    );
  });

  it("comes back from the storage as it was", () => {
    fc.assert(
      fc.property(changes, (list) => {
        const keymap = changed(list);
        expect(parse(ACTIONS, String(keymap)).changes).toEqual(keymap.changes);
      }),
    );
  });

  it("names the action that has a key already, and takes the key from it", () => {
    const brush = action("tool.brush");
    expect(OWN_KEYS.clash(brush, "e")?.label).toBe("Eraser");
    const keymap = OWN_KEYS.rebind(brush, "e");
    expect(keymap.keysOf(brush)).toEqual(["e"]);
    expect(keymap.keysOf(action("tool.eraser"))).toEqual([]);
    expect(keymap.bindings.has("b")).toBe(false);
  });

  it("lets the crosshair and an open outline share keys, and asks them first", () => {
    const sharing = OWN_KEYS.bindings.get("Enter") ?? [];
    expect(sharing.map((a) => a.id)).toEqual([
      "crosshair.place",
      "question.leave",
      "polygon.close",
      "confirm",
    ]);
    expect(OWN_KEYS.clash(action("polygon.close"), "Enter")).toBeNull();
  });

  it("gives an action its own keys back, from whoever has them by now", () => {
    const [brush, eraser] = [action("tool.brush"), action("tool.eraser")];
    const keymap = OWN_KEYS.rebind(brush, "w").rebind(eraser, "b").restore(brush);
    expect(keymap.keysOf(brush)).toEqual(["b"]);
    expect(keymap.keysOf(eraser)).toEqual([]);
  });

  it("follows an action that another leads to", () => {
    const keymap = OWN_KEYS.rebind(action("confirm"), "w");
    expect(keymap.keysOf(action("commit"))).toEqual(["w"]);
  });

  it("leaves out what was stored by something else", () => {
    expect(parse(ACTIONS, "no json").changes).toEqual({});
    expect(parse(ACTIONS, "[1]").changes).toEqual({});
    expect(parse(ACTIONS, null).changes).toEqual({});
    const stored = '{"fly": ["w"], "tool.box": "w", "tool.brush": ["w"]}';
    expect(parse(ACTIONS, stored).changes).toEqual({
      "tool.brush": ["w"],
    });
  });
});
