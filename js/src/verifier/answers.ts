/**
 * What was said of each point: on disk, as the kernel says, or on its way there. The next point
 * is shown before an answer is on disk; it counts as answered once it is.
 */

import { computed, type ReadonlySignal, signal } from "@preact/signals";
import type { Label, ObjectInfo, State } from "./messages";

const LABELS: Record<string, Label | undefined> = {
  "+": "positive",
  "-": "negative",
  "?": "unknown",
};

interface Sent {
  label: Label;
  /** Of the session, once the answer is on disk; until then it is on its way. */
  revision: number | null;
}

export class Answers {
  /** By object and place, what this view sent and the state does not have yet. */
  private readonly sent = signal<ReadonlyMap<string, Sent>>(new Map());
  /** How many answers are on their way. */
  readonly waiting = computed(
    () => [...this.sent.value.values()].filter(({ revision }) => revision === null).length,
  );

  constructor(private readonly state: ReadonlySignal<State | null>) {}

  /** What was said of a point, on disk or on its way; null where nothing was. */
  of(object: ObjectInfo, place: number): Label | null {
    return this.unsettled(object.id, place)?.label ?? LABELS[object.answers[place]] ?? null;
  }

  /** How many points of an object are answered, on disk. */
  saved(object: ObjectInfo): number {
    let count = 0;
    for (let place = 0; place < object.answers.length; place++)
      if (this.isSaved(object, place)) count++;
    return count;
  }

  isSaved(object: ObjectInfo, place: number): boolean {
    const known = this.unsettled(object.id, place);
    return object.answers[place] !== "." || (known !== undefined && known.revision !== null);
  }

  /** The next point without an answer, first behind `place` and then from the start; -1: none. */
  next(object: ObjectInfo, place = -1): number {
    const count = object.answers.length;
    for (let step = 1; step <= count; step++) {
      const other = (place + step + count) % count;
      if (this.of(object, other) === null) return other;
    }
    return -1;
  }

  /** An answer goes out. */
  send(object: number, place: number, label: Label): void {
    this.set(object, place, { label, revision: null });
  }

  /** It is on disk. */
  arrived(object: number, place: number, label: Label, revision: number): void {
    this.set(object, place, { label, revision });
  }

  /** It could not be taken: what was said before holds. */
  refused(object: number, place: number): void {
    this.set(object, place, null);
  }

  private unsettled(object: number, place: number): Sent | undefined {
    const found = this.sent.value.get(key(object, place));
    const known = this.state.value?.revision ?? 0;
    return found?.revision != null && found.revision <= known ? undefined : found;
  }

  private set(object: number, place: number, sent: Sent | null): void {
    const known = this.state.peek()?.revision ?? 0;
    const kept = [...this.sent.peek()].filter(
      ([, { revision }]) => revision === null || revision > known,
    );
    const next = new Map(kept);
    if (sent) next.set(key(object, place), sent);
    else next.delete(key(object, place));
    this.sent.value = next;
  }
}

const key = (object: number, place: number) => `${object}:${place}`;
