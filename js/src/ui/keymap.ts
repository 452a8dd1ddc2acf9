/**
 * Which key does what: the table of actions, with the changes a person has made.
 *
 * The changes belong to the person, not to the session or its kernel: they lie in the browser's
 * storage, so that they outlive reloads, kernels and notebooks. Where a host has no storage they
 * last as long as the page.
 */

import { computed, type ReadonlySignal, signal } from "@preact/signals";
import { ACTIONS, type Action, action } from "../annotator/actions/table";

/** Keys of the actions whose keys are not those of the table. */
export type Keymap = Readonly<Record<string, readonly string[]>>;

const PLACE = "evavos-widget.keys";
/** Tells the other annotators of a page; other pages hear from the storage itself. */
const CHANGED = "evavos-widget.keys-changed";

/** Action whose row in the sheet holds the keys of another. */
const owner = (wanted: Action): Action => (wanted.via ? action(wanted.via) : wanted);

export const keysIn = (keymap: Keymap, wanted: Action): readonly string[] =>
  keymap[owner(wanted).id] ?? owner(wanted).keys;

/** The actions of each key; those of a context come before the one that always applies. */
export function bindingsOf(keymap: Keymap): Map<string, Action[]> {
  const bindings = new Map<string, Action[]>();
  for (const each of ACTIONS) {
    if (each.via) continue;
    for (const key of keysIn(keymap, each)) {
      bindings.set(key, [...(bindings.get(key) ?? []), each]);
    }
  }
  for (const sharing of bindings.values()) {
    sharing.sort((a, b) => Number(b.context !== undefined) - Number(a.context !== undefined));
  }
  return bindings;
}

/** The other action that a key leads to in the same context. */
export function clash(keymap: Keymap, wanted: Action, key: string): Action | null {
  const sharing = bindingsOf(keymap).get(key) ?? [];
  return sharing.find((a) => a !== wanted && a.context === wanted.context) ?? null;
}

/** Gives a key to an action, and takes it from the one that had it. */
export function rebind(keymap: Keymap, wanted: Action, key: string): Keymap {
  const loser = clash(keymap, wanted, key);
  const left = loser && keysIn(keymap, loser).filter((other) => other !== key);
  return { ...keymap, [wanted.id]: [key], ...(loser && left ? { [loser.id]: left } : {}) };
}

/** An action's own keys again; another that has one of them by now loses it. */
export function restore(keymap: Keymap, wanted: Action): Keymap {
  let { [wanted.id]: _, ...rest }: Keymap = keymap;
  for (const key of wanted.keys) {
    const loser = clash(rest, wanted, key);
    if (loser) rest = { ...rest, [loser.id]: keysIn(rest, loser).filter((k) => k !== key) };
  }
  return rest;
}

/** Reads what was stored; whatever does not fit this table of actions is left out. */
export function parse(text: string | null): Keymap {
  let stored: unknown;
  try {
    stored = JSON.parse(text ?? "{}");
  } catch {
    return {};
  }
  if (typeof stored !== "object" || stored === null) return {};
  return Object.fromEntries(
    Object.entries(stored).filter(
      ([id, keys]) =>
        ACTIONS.some((a) => a.id === id) &&
        Array.isArray(keys) &&
        keys.every((key) => typeof key === "string"),
    ),
  );
}

/** The keymap in force, the same in every annotator of this browser. */
export class Keys {
  private readonly keymap = signal<Keymap>(parse(read()));
  readonly bindings: ReadonlySignal<Map<string, Action[]>> = computed(() =>
    bindingsOf(this.keymap.value),
  );
  readonly changed = computed(() => Object.keys(this.keymap.value).length > 0);

  constructor(abort: AbortSignal) {
    const follow = () => {
      this.keymap.value = parse(read());
    };
    window.addEventListener("storage", follow, { signal: abort });
    window.addEventListener(CHANGED, follow, { signal: abort });
  }

  of(wanted: Action): readonly string[] {
    return keysIn(this.keymap.value, wanted);
  }

  isChanged(wanted: Action): boolean {
    return wanted.id in this.keymap.value;
  }

  clash(wanted: Action, key: string): Action | null {
    return clash(this.keymap.value, wanted, key);
  }

  rebind(wanted: Action, key: string): void {
    this.store(rebind(this.keymap.value, wanted, key));
  }

  restore(wanted: Action): void {
    this.store(restore(this.keymap.value, wanted));
  }

  restoreAll(): void {
    this.store({});
  }

  private store(keymap: Keymap): void {
    this.keymap.value = keymap;
    try {
      localStorage.setItem(PLACE, JSON.stringify(keymap));
      window.dispatchEvent(new Event(CHANGED));
    } catch {
      // A host without storage: the change lasts as long as the page.
    }
  }
}

function read(): string | null {
  try {
    return localStorage.getItem(PLACE);
  } catch {
    return null;
  }
}
