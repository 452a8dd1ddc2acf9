/**
 * From key presses to actions. No plain key goes on to the notebook, and none that does nothing
 * here is taken from the browser; a key that is typed into a field, or works the button it is
 * pressed on, is left alone.
 */

import { type Action, action, isEnabled, run } from "../annotator/actions/table";
import type { App } from "../annotator/app";

export interface Press {
  key: string;
  code: string;
  ctrlKey: boolean;
  metaKey: boolean;
  altKey: boolean;
  shiftKey: boolean;
}

/** The name of a key press, as the table of actions writes it; "" for one that has none. */
export function nameOf(press: Press, altGraph = false): string {
  let { key } = press;
  if (key === " ") key = "Space";
  // A keyboard of another script: the letter that stands in this place on a Latin one.
  if (key.length === 1 && key > "\u007f" && /^Key[A-Z]$/.test(press.code))
    key = press.code.slice(3);
  const letter = /^[a-z]$/i.test(key);
  if (letter) key = key.toLowerCase();
  const printable = key.length === 1;
  const modified = !altGraph && (press.ctrlKey || press.metaKey);
  if (press.altKey && !altGraph) return "";
  const shifted = press.shiftKey && (letter || !printable);
  return `${modified ? "Mod+" : ""}${shifted ? "Shift+" : ""}${key}`;
}

/** A name with the key that leads to the action just now, for tooltips. */
export function withKey(app: App, name: string, ...ids: string[]): string {
  const written = ids.map((id) => keyFor(app, action(id))).filter((key) => key !== "");
  return written.length > 0 ? `${name}  (${written.map((key) => display(key)).join(" ")})` : name;
}

/** How a key is written for people. */
export function display(key: string, mac = isMac()): string {
  const names: Record<string, string> = {
    Mod: mac ? "⌘" : "Ctrl",
    Shift: mac ? "⇧" : "Shift",
    ArrowLeft: "←",
    ArrowRight: "→",
    ArrowUp: "↑",
    ArrowDown: "↓",
    Backspace: "⌫",
    Escape: "Esc",
    Delete: "Del",
  };
  const parts = key === "+" ? ["+"] : key.split("+");
  return parts
    .map((part) => names[part] ?? (/^[a-z]$/.test(part) ? part.toUpperCase() : part))
    .join(mac ? "" : "+");
}

const isMac = () => /Mac|iP(hone|ad)/.test(navigator.platform);

/** What a key does just now: of the actions that share it, the first that can be done. */
export function actionFor(app: App, key: string): Action | undefined {
  const sharing = app.keys.bindings.value.get(key) ?? [];
  const covered = app.store.helpOpen.value;
  return sharing.find((action) => (!covered || action.overSheet) && isEnabled(app, action));
}

/** The key that leads to an action just now, as it is written; "" where none does. */
export function keyFor(app: App, wanted: Action): string {
  const id = wanted.via ?? wanted.id;
  if (wanted.via && action(wanted.via).leads?.(app) !== wanted.id) return "";
  const sharing = (key: string) => app.keys.bindings.value.get(key) ?? [];
  const free = (key: string) => {
    const first = sharing(key).find((other) => other.id === id || isEnabled(app, other));
    return first?.id === id;
  };
  return app.keys.of(wanted).find(free) ?? "";
}

/** Whether the element has its own use for the key. */
export function belongsTo(element: EventTarget | undefined, key: string): boolean {
  if (!(element instanceof HTMLElement)) return false;
  if (element.isContentEditable) return true;
  switch (element.tagName) {
    case "TEXTAREA":
    case "SELECT":
      return true;
    case "INPUT":
      return (element as HTMLInputElement).type === "range"
        ? /^(Shift\+)?(Arrow|Home|End|Page)/.test(key)
        : (element as HTMLInputElement).type !== "checkbox" || key === "Space";
    case "BUTTON":
    case "SUMMARY":
      return key === "Enter" || key === "Space";
    default:
      return false;
  }
}

/** Listens on the root of a view for as long as the view lives. */
export function listenToKeys(app: App): void {
  const held = new Map<string, { action: Action; since: number }>();
  const release = (code: string) => {
    const hold = held.get(code);
    held.delete(code);
    hold?.action.hold?.end(app, performance.now() - hold.since);
    return hold !== undefined;
  };
  const take = (event: Event) => {
    event.preventDefault();
    event.stopPropagation();
  };
  const options = { signal: app.signal };
  app.root.addEventListener(
    "keydown",
    (event) => {
      const name = nameOf(event, event.getModifierState("AltGraph"));
      const known = app.keys.bindings.value.has(name);
      const action = actionFor(app, name);
      // A host's shortcuts match the focused element itself, so the root's attribute does not
      // keep them off. What is typed in here stays here; Ctrl keys without a use here go on.
      if (known || !(event.ctrlKey || event.metaKey)) event.stopPropagation();
      if (event.isComposing || belongsTo(event.composedPath()[0], name)) return;
      if (held.has(event.code)) return take(event);
      if (!action) {
        // With nothing to undo here, a browser would undo what was typed into a field last.
        if (known && (event.ctrlKey || event.metaKey)) event.preventDefault();
        return;
      }
      take(event);
      if (action.hold) {
        held.set(event.code, { action, since: performance.now() });
        action.hold.start(app);
      } else if (!event.repeat || action.repeats) run(app, action.id);
    },
    options,
  );
  app.root.addEventListener(
    "keyup",
    (event) => {
      if (release(event.code)) take(event);
    },
    options,
  );
  app.root.addEventListener(
    "focusout",
    (event) => {
      if (!app.root.contains(event.relatedTarget as Node | null)) {
        for (const code of [...held.keys()]) release(code);
      }
    },
    options,
  );
}
