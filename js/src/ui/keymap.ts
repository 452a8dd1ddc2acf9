/**
 * Which key does what: a table of actions, with the changes a person has made.
 *
 * The changes belong to the person, not to the session or its kernel: they lie in the browser's
 * storage, so that they outlive reloads, kernels and notebooks. Where a host has no storage they
 * last as long as the page.
 */

import { computed, type ReadonlySignal, type Signal, signal } from "@preact/signals";
import type { Action, ActionTable } from "./actions";

/** Keys of the actions whose keys are not those of the table. */
export type Changes = Readonly<Record<string, readonly string[]>>;

/** A table of actions with changed keys. */
export class Keymap<C> {
  /** The actions of each key; those of a mode come before the one that always applies. */
  readonly bindings: ReadonlyMap<string, readonly Action<C>[]>;

  constructor(
    private readonly table: ActionTable<C>,
    readonly changes: Changes = {},
  ) {
    const bindings = new Map<string, Action<C>[]>();
    for (const each of table.actions) {
      if (each.via) continue;
      for (const key of this.keysOf(each)) {
        bindings.set(key, [...(bindings.get(key) ?? []), each]);
      }
    }
    for (const sharing of bindings.values()) {
      sharing.sort((a, b) => Number(b.mode !== undefined) - Number(a.mode !== undefined));
    }
    this.bindings = bindings;
  }

  /** Keys of an action, or of the one that leads to it. */
  keysOf(wanted: Action<C>): readonly string[] {
    const owner = wanted.via ? this.table.get(wanted.via) : wanted;
    return this.changes[owner.id] ?? owner.keys;
  }

  /** The other action that a key leads to in the same mode. */
  clash(wanted: Action<C>, key: string): Action<C> | null {
    const sharing = this.bindings.get(key) ?? [];
    return sharing.find((a) => a !== wanted && a.mode === wanted.mode) ?? null;
  }

  /** Gives a key to an action, and takes it from the one that had it. */
  rebind(wanted: Action<C>, key: string): Keymap<C> {
    return this.with({ ...this.changes, [wanted.id]: [key], ...this.taken(wanted, key) });
  }

  /** An action's own keys again; another that has one of them by now loses it. */
  restore(wanted: Action<C>): Keymap<C> {
    const { [wanted.id]: _, ...rest } = this.changes;
    return wanted.keys.reduce<Keymap<C>>(
      (keymap, key) => keymap.with({ ...keymap.changes, ...keymap.taken(wanted, key) }),
      this.with(rest),
    );
  }

  /** What is stored of the changes. */
  toString(): string {
    return JSON.stringify(this.changes);
  }

  private with(changes: Changes): Keymap<C> {
    return new Keymap(this.table, changes);
  }

  /** The keys that are left to the action which has a key that another gets. */
  private taken(wanted: Action<C>, key: string): Changes {
    const loser = this.clash(wanted, key);
    return loser ? { [loser.id]: this.keysOf(loser).filter((other) => other !== key) } : {};
  }
}

/** Reads what was stored; whatever does not fit the table of actions is left out. */
export function parse<C>(table: ActionTable<C>, text: string | null): Keymap<C> {
  let stored: unknown;
  try {
    stored = JSON.parse(text ?? "{}");
  } catch {
    return new Keymap(table);
  }
  if (typeof stored !== "object" || stored === null) return new Keymap(table);
  const fitting = Object.entries(stored).filter(
    ([id, keys]) =>
      table.has(id) && Array.isArray(keys) && keys.every((key) => typeof key === "string"),
  );
  return new Keymap(table, Object.fromEntries(fitting));
}

/** The keymap in force, the same in every view of a widget in this browser. */
export class Keys<C> {
  readonly changed = computed(() => Object.keys(this.keymap.value.changes).length > 0);
  private readonly current: Signal<Keymap<C>>;
  /** Tells the other views of a page; other pages hear from the storage itself. */
  private readonly event: string;

  /** @param place where the browser keeps the changes */
  constructor(
    private readonly table: ActionTable<C>,
    private readonly place: string,
    abort: AbortSignal,
  ) {
    this.current = signal(parse(table, read(place)));
    this.event = `${place}-changed`;
    const follow = () => {
      this.current.value = parse(table, read(place));
    };
    window.addEventListener("storage", follow, { signal: abort });
    window.addEventListener(this.event, follow, { signal: abort });
  }

  get keymap(): ReadonlySignal<Keymap<C>> {
    return this.current;
  }

  of(wanted: Action<C>): readonly string[] {
    return this.keymap.value.keysOf(wanted);
  }

  isChanged(wanted: Action<C>): boolean {
    return wanted.id in this.keymap.value.changes;
  }

  clash(wanted: Action<C>, key: string): Action<C> | null {
    return this.keymap.value.clash(wanted, key);
  }

  rebind(wanted: Action<C>, key: string): void {
    this.store(this.keymap.value.rebind(wanted, key));
  }

  restore(wanted: Action<C>): void {
    this.store(this.keymap.value.restore(wanted));
  }

  restoreAll(): void {
    this.store(new Keymap(this.table));
  }

  private store(keymap: Keymap<C>): void {
    this.current.value = keymap;
    try {
      localStorage.setItem(this.place, String(keymap));
      window.dispatchEvent(new Event(this.event));
    } catch {
      // A host without storage: the change lasts as long as the page.
    }
  }
}

function read(place: string): string | null {
  try {
    return localStorage.getItem(place);
  } catch {
    return null;
  }
}
