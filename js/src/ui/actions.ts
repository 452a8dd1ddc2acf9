/**
 * What a person can do, as one table a widget. Buttons, tooltips, keys and the sheet of keys all
 * read it, so what a button says and what a key does cannot part.
 *
 * An action names what it acts on as its `Context`: a table for one part of a widget can stand in
 * the table of every widget that has this part. The table itself is bound to a view late, by
 * `commands.ts`.
 */

export interface Action<Context> {
  id: string;
  /** Heading in the sheet of keys. */
  group: string;
  label: string;
  /**
   * As `key-names.ts` writes them: `Mod` is Ctrl, or Cmd on a Mac. They are those of a person who has
   * changed none; `keymap.ts` has the changes.
   */
  keys: readonly string[];
  run(context: Context): unknown;
  enabled?(context: Context): boolean;
  /** Why it cannot be had here, in a sentence that is said in its place; null where it can. */
  refused?(context: Context): string | null;
  /** For switches: whether it is on. */
  pressed?(context: Context): boolean;
  /** What its key does instead while it is held, and for how many milliseconds it was. */
  hold?: { start(context: Context): void; end(context: Context, held: number): void };
  /** The key may be held to repeat. */
  repeats?: true;
  /** Another action whose key does this too, where that makes sense. */
  via?: string;
  /** For such a key: the action that it is just now. */
  leads?(context: Context): string | undefined;
  /** It also works while the sheet of keys covers everything else. */
  overSheet?: true;
  /** Only in this mode does it apply, and its keys are taken from others that share them. */
  mode?: string;
  /** How the sheet of keys writes a row of like keys; "" leaves the action out. */
  listed?: string;
}

/** All that can be done in a widget. */
export class ActionTable<Context> {
  private readonly byId: ReadonlyMap<string, Action<Context>>;

  constructor(readonly actions: readonly Action<Context>[]) {
    this.byId = new Map(actions.map((action) => [action.id, action]));
  }

  has(id: string): boolean {
    return this.byId.has(id);
  }

  get(id: string): Action<Context> {
    const found = this.byId.get(id);
    if (!found) throw new Error(`there is no action "${id}"; add it to the widget's table.`);
    return found;
  }
}
