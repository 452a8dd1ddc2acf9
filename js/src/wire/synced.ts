/**
 * State that is synced with the kernel and survives a page reload: the widget's traits, each as
 * a signal. Small values only; whatever belongs to one screen alone stays out of them.
 *
 * Every view of a model shares the traits, so two views move together.
 */

import type { AnyModel } from "@anywidget/types";
import { type Signal, signal } from "@preact/signals";

/** Milliseconds without a change before a value is sent; scrubbing sends one message, not sixty. */
const SAVE_DELAY = 200;

/** One trait. Setting it shows at once here and in other views, and soon in Python. */
export class Synced<T extends object, K extends keyof T & string> {
  readonly signal: Signal<T[K]>;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private sent: string | undefined;
  private unsaved = false;

  constructor(
    private readonly model: AnyModel<T>,
    private readonly name: K,
  ) {
    this.signal = signal(model.get(name));
    model.on(`change:${name}`, this.receive);
  }

  get value(): T[K] {
    return this.signal.value;
  }

  set(value: T[K]): void {
    this.signal.value = value;
    this.unsaved = true;
    this.model.set(this.name, value);
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.save(), SAVE_DELAY);
  }

  close(): void {
    if (this.unsaved) this.save();
    this.model.off(`change:${this.name}`, this.receive);
  }

  private save(): void {
    clearTimeout(this.timer);
    this.unsaved = false;
    this.sent = JSON.stringify(this.signal.value);
    this.model.set(this.name, this.signal.value);
    this.model.save_changes();
  }

  private readonly receive = () => {
    const value = this.model.get(this.name);
    // A host may echo what was sent after newer changes were made here: those win.
    if (this.unsaved && JSON.stringify(value) === this.sent) return;
    this.signal.value = value;
  };
}

/** The traits of a model, by the names that the page has for them. */
export function syncTraits<T extends object, const N extends Record<string, keyof T & string>>(
  model: AnyModel<T>,
  names: N,
) {
  const traits = Object.fromEntries(
    Object.entries(names).map(([own, name]) => [own, new Synced(model, name)]),
  ) as { [Own in keyof N]: Synced<T, N[Own]> };
  const close = () => {
    for (const trait of Object.values<Synced<T, keyof T & string>>(traits)) trait.close();
  };
  return { ...traits, close };
}
