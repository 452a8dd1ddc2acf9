/** The objects: which one is in hand, whether it may be drawn on, and what is done to them. */

import { computed, effect } from "@preact/signals";
import { nameAmong } from "../../ui/object-names";
import type { AnnotatorKernel } from "../annotator-kernel";
import type { ObjectInfo } from "../messages";
import type { Store } from "../store";
import type { SyncedTraits } from "../traits";

/** Said where something is meant for a frame that is not on the screen yet. */
export const AWAITED = "The picture of this frame is on its way";

export class Objects {
  /** The object that is being added, until the kernel lists it. */
  private adding: Promise<number | null> | null = null;
  /** What was last asked for of what is switched, until the kernel's state says it too. */
  private readonly asked = new Map<string, { wanted: boolean }>();

  /** @param added called with the id of an object that is new, which one that is gone may have had */
  constructor(
    private readonly kernel: AnnotatorKernel,
    private readonly synced: SyncedTraits,
    private readonly store: Store,
    private readonly added: (object: number) => void,
  ) {}

  /** The object that is edited: the chosen one, else the first. */
  readonly active = computed<ObjectInfo | null>(() => {
    const objects = this.kernel.objects.value;
    return objects.find((o) => o.id === this.synced.activeObject.value) ?? objects[0] ?? null;
  });

  /** Another frame is on the screen until the wanted one has come: nothing is meant for it. */
  readonly elsewhere = computed(() => this.store.shown.value !== this.synced.frame.signal.value);

  /** Whether the active object may be drawn on, be it once the wanted frame is on the screen. */
  readonly canEdit = computed(
    () =>
      !this.synced.readOnly.value &&
      this.kernel.state.value !== null &&
      this.store.shown.value >= 0 &&
      !this.active.value?.locked,
  );

  called(object: number): string {
    return nameAmong(object, this.kernel.objects.value);
  }

  /** Whether the active object may be drawn on now; says why where it may not. */
  mayEdit(): boolean {
    if (this.canEdit.value && !this.elsewhere.value) return true;
    const object = this.active.value;
    if (this.synced.readOnly.value) this.announce("This view is for looking only");
    else if (this.kernel.state.value === null) this.announce("Waiting for the kernel");
    else if (object?.locked) this.announce(`${this.called(object.id)} is locked`);
    else if (this.elsewhere.value) this.announce(AWAITED);
    return false;
  }

  has(object: number): boolean {
    return this.kernel.objects.value.some(({ id }) => id === object);
  }

  /** Whether one is being added: what is drawn is for it already. */
  get isAdding(): boolean {
    return this.adding !== null;
  }

  /** The object that is drawn on; the first is added for it. Null where that was refused. */
  async inHand(): Promise<number | null> {
    return this.adding ?? this.active.value?.id ?? this.add();
  }

  async add(): Promise<number | null> {
    const adding = this.make();
    this.adding = adding;
    const object = await adding;
    if (this.adding === adding) this.adding = null;
    return object;
  }

  /** Hides an object or shows it again: everywhere, or in this view where it is for looking only. */
  async toggleVisible(object: ObjectInfo): Promise<void> {
    const { id, visible } = object;
    if (!this.synced.readOnly.value) return this.toggle(object, "visible", ["hidden", "shown"]);
    const flipped = new Set(this.store.flipped.value);
    if (!flipped.delete(id)) flipped.add(id);
    this.store.flipped.value = flipped;
    this.announce(`${this.called(id)} ${visible ? "hidden" : "shown"}`);
  }

  toggleLocked(object: ObjectInfo): Promise<void> {
    return this.toggle(object, "locked", ["unlocked", "locked"]);
  }

  /** Whether it is gone. */
  async remove(object: number): Promise<boolean> {
    const name = this.called(object);
    if (!(await this.kernel.ask("object.remove", { object }))) return false;
    this.announce(`${name} removed, undo brings it back`);
    return true;
  }

  /** Whether it is part of the other now. */
  async merge(object: number, into: number): Promise<boolean> {
    if (!(await this.kernel.ask("object.merge", { object, into }))) return false;
    this.synced.activeObject.set(into);
    this.announce("Two objects merged, undo parts them again");
    return true;
  }

  /** 1 at the label of every locked object. */
  locked(): Uint8Array {
    const locked = new Uint8Array(256);
    for (const { id, locked: yes } of this.kernel.objects.value) locked[id] = yes ? 1 : 0;
    return locked;
  }

  /**
   * Asks for the other of what was asked for last, so that twice is as it was, however late the
   * kernel answers.
   *
   * @param words what it is called then, where it is false and where it is true
   */
  private async toggle(
    object: ObjectInfo,
    what: "visible" | "locked",
    words: [string, string],
  ): Promise<void> {
    const { id } = object;
    const key = `${what} ${id}`;
    const turn = { wanted: !(this.asked.get(key)?.wanted ?? object[what]) };
    this.asked.set(key, turn);
    const says = () =>
      this.kernel.objects.value.some((o) => o.id === id && o[what] === turn.wanted);
    try {
      if (!(await this.kernel.ask("object.update", { object: id, [what]: turn.wanted }))) return;
      this.announce(`${this.called(id)} ${words[Number(turn.wanted)]}`);
      await this.stated(says);
    } finally {
      if (this.asked.get(key) === turn) this.asked.delete(key);
    }
  }

  private async make(): Promise<number | null> {
    const reply = await this.kernel.ask("object.add", { name: null });
    if (!reply) return null;
    const { object } = reply.fields;
    this.added(object);
    if (!(await this.stated(() => this.has(object)))) return null;
    this.synced.activeObject.set(object);
    return object;
  }

  /**
   * Waits until the kernel's state says what the kernel said it has done: the next one does at the
   * latest, unless it was undone by then. Whether it says so.
   */
  private stated(done: () => boolean): Promise<boolean> {
    const { state, gone } = this.kernel;
    const before = state.peek();
    return new Promise((resolve) => {
      effect(function () {
        if (!done() && state.value === before && !gone.value) return;
        resolve(done());
        this.dispose();
      });
    });
  }

  private announce(words: string): void {
    this.store.announcement.value = words;
  }
}
