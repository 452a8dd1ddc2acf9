import { describe, expect, it } from "vitest";
import { ACTIONS } from "../../src/annotator/actions/table";
import { display, nameOf, type Press } from "../../src/ui/key-names";
import { Keymap } from "../../src/ui/keymap";

const { actions } = ACTIONS;
const keymap = new Keymap(ACTIONS);

const press = (key: string, extra: Partial<Press> = {}): Press => ({
  key,
  code: "",
  ctrlKey: false,
  metaKey: false,
  altKey: false,
  shiftKey: false,
  ...extra,
});

describe("the table of actions", () => {
  it("names every action once", () => {
    const ids = actions.map((a) => a.id);
    expect(new Set(ids).size).toBe(ids.length);
  });

  it("gives every key to one action of a context", () => {
    for (const each of actions) {
      for (const key of each.keys)
        expect(keymap.clash(each, key)?.id, `${each.id} ${key}`).toBeUndefined();
    }
  });

  it("leads to every action by a key", () => {
    for (const each of actions) expect(keymap.keysOf(each), each.id).not.toHaveLength(0);
  });

  it("writes keys as the listener names them", () => {
    for (const key of actions.flatMap((a) => [...a.keys])) {
      const parts = key === "+" ? ["+"] : key.split("+");
      const name = parts.at(-1) ?? "";
      const pressed = press(name === "Space" ? " " : name, {
        ctrlKey: parts.includes("Mod"),
        shiftKey: parts.includes("Shift"),
      });
      expect(nameOf(pressed)).toBe(key);
    }
  });

  it("refuses a name it does not have", () => {
    expect(() => ACTIONS.get("fly")).toThrow(/"fly"/);
  });
});

describe("a key press", () => {
  it("is the same with Ctrl and with Cmd, and with caps lock", () => {
    expect(nameOf(press("z", { metaKey: true }))).toBe("Mod+z");
    expect(nameOf(press("Z", { ctrlKey: true, shiftKey: true }))).toBe("Mod+Shift+z");
    expect(nameOf(press("B"))).toBe("b");
  });

  it("counts Shift for letters and named keys, not for signs that need it", () => {
    expect(nameOf(press("?", { shiftKey: true }))).toBe("?");
    expect(nameOf(press("ArrowLeft", { shiftKey: true }))).toBe("Shift+ArrowLeft");
    expect(nameOf(press("F", { shiftKey: true }))).toBe("Shift+f");
  });

  it("with Alt belongs to the browser, but AltGr types a sign", () => {
    expect(nameOf(press("ArrowLeft", { altKey: true }))).toBe("");
    expect(nameOf(press("[", { ctrlKey: true, altKey: true }), true)).toBe("[");
  });

  it.each([{ isComposing: true }, { keyCode: 229 }])("is none of ours while %o", (composing) => {
    for (const key of ["Enter", "Escape", "b"]) expect(nameOf(press(key, composing))).toBe("");
    expect(nameOf(press("Enter", { isComposing: false, keyCode: 13 }))).toBe("Enter");
  });

  it("on a keyboard of another script is the letter in its place", () => {
    expect(nameOf(press("и", { code: "KeyB" }))).toBe("b");
  });

  it("is written as it stands on the keyboard", () => {
    expect(display("Mod+Shift+z", false)).toBe("Ctrl+Shift+Z");
    expect(display("Mod+Enter", true)).toBe("⌘Enter");
    expect(display("+", false)).toBe("+");
    expect(display("ArrowLeft", false)).toBe("←");
  });
});
