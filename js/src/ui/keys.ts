/**
 * From key presses to actions. No plain key goes on to the notebook, and none that does nothing
 * here is taken from the browser; a key that is typed into a field, or works the button that was
 * come to by keys, is left alone.
 */

import type { Action } from "./actions";
import type { Commands } from "./commands";
import { nameOf } from "./key-names";

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

/** Listens on the root of a view until `abort`. */
export function listenToKeys<C>(
  root: HTMLElement,
  commands: Commands<C>,
  abort: AbortSignal,
): void {
  /** The button that was pressed with a pointer, while it has the focus: keys are not for it. */
  let pointed: EventTarget | null = null;
  const held = new Map<string, { action: Action<C>; since: number }>();
  // How long it was held is between the two events, however late a busy page hears of them.
  const release = (code: string, { timeStamp }: Event) => {
    const hold = held.get(code);
    held.delete(code);
    hold?.action.hold?.end(commands.context, timeStamp - hold.since);
    return hold !== undefined;
  };
  const take = (event: Event) => {
    event.preventDefault();
    event.stopPropagation();
  };
  const options = { signal: abort };
  root.addEventListener(
    "pointerdown",
    ({ target }) => {
      pointed = (target as Element).closest("button");
    },
    options,
  );
  root.addEventListener(
    "keydown",
    (event) => {
      const name = nameOf(event, event.getModifierState("AltGraph"));
      const known = commands.knows(name);
      const action = commands.actionFor(name);
      // A host's shortcuts match the focused element itself, so the root's attribute does not
      // keep them off. What is typed in here stays here; Ctrl keys without a use here go on.
      if (known || !(event.ctrlKey || event.metaKey)) event.stopPropagation();
      const [element] = event.composedPath();
      if (element !== pointed && belongsTo(element, name)) return;
      if (held.has(event.code)) return take(event);
      if (!action) {
        // With nothing to undo here, a browser would undo what was typed into a field last.
        if (known && (event.ctrlKey || event.metaKey)) event.preventDefault();
        return;
      }
      take(event);
      if (action.hold) {
        held.set(event.code, { action, since: event.timeStamp });
        action.hold.start(commands.context);
      } else if (!event.repeat || action.repeats) commands.run(action.id);
    },
    options,
  );
  root.addEventListener(
    "keyup",
    (event) => {
      // A browser may press the button when the key is let go.
      if (release(event.code, event) || event.target === pointed) take(event);
    },
    options,
  );
  root.addEventListener(
    "focusout",
    (event) => {
      if (event.target === pointed) pointed = null;
      if (!root.contains(event.relatedTarget as Node | null)) {
        for (const code of [...held.keys()]) release(code, event);
      }
    },
    options,
  );
}
