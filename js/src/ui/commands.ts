/**
 * A table of actions bound to one view of a widget: what can be done in it just now, by which
 * key, and doing it.
 */

import { signal } from "@preact/signals";
import type { Action, ActionTable } from "./actions";
import { display } from "./key-names";
import { Keys } from "./keymap";

/** A view that has commands. */
export interface Commanded<Context> {
  readonly commands: Commands<Context>;
}

export class Commands<Context> {
  readonly keys: Keys<Context>;
  /** Whether the sheet of keys covers everything else. */
  readonly sheetOpen = signal(false);

  /**
   * @param context the view, as the actions see it
   * @param place where the browser keeps the changes of keys
   * @param failed called with what an action fails with
   * @param say called with why an action cannot be had here
   */
  constructor(
    readonly table: ActionTable<Context>,
    readonly context: Context,
    place: string,
    private readonly failed: (error: unknown) => void,
    private readonly say: (words: string) => void,
    abort: AbortSignal,
  ) {
    this.keys = new Keys(table, place, abort);
  }

  isEnabled(id: string): boolean {
    return this.able(this.table.get(id));
  }

  /** Why an action cannot be had here; null where it can. */
  refusal(id: string): string | null {
    return this.table.get(id).refused?.(this.context) ?? null;
  }

  /** Runs an action if it can be run now, or says why it cannot be had. */
  run(id: string): void {
    const wanted = this.table.get(id);
    if (!this.able(wanted)) return;
    const refusal = this.refusal(id);
    if (refusal !== null) {
      this.say(refusal);
      return;
    }
    Promise.resolve()
      .then(() => wanted.run(this.context))
      .catch((error) => this.failed(error));
  }

  /** Whether a key has a use here, be it just now or not. */
  knows(key: string): boolean {
    return this.keys.keymap.value.bindings.has(key);
  }

  /** What a key does just now: of the actions that share it, the first that can be done. */
  actionFor(key: string): Action<Context> | undefined {
    const covered = this.sheetOpen.value;
    return this.sharing(key).find((action) => (!covered || action.overSheet) && this.able(action));
  }

  /** The key that leads to an action just now; "" where none does. */
  keyFor(id: string): string {
    const wanted = this.table.get(id);
    const leader = wanted.via ?? id;
    if (wanted.via && this.table.get(wanted.via).leads?.(this.context) !== id) return "";
    const free = (key: string) =>
      this.sharing(key).find((other) => other.id === leader || this.able(other))?.id === leader;
    return this.keys.of(wanted).find(free) ?? "";
  }

  /** A name with the keys that lead to actions just now, for tooltips. */
  withKey(name: string, ...ids: string[]): string {
    const written = ids.map((id) => this.keyFor(id)).filter((key) => key !== "");
    return written.length > 0 ? `${name}  (${written.map((key) => display(key)).join(" ")})` : name;
  }

  private sharing(key: string): readonly Action<Context>[] {
    return this.keys.keymap.value.bindings.get(key) ?? [];
  }

  private able({ enabled }: Action<Context>): boolean {
    return enabled?.(this.context) ?? true;
  }
}
