/** The objects: which one is in hand, whether it may be drawn on, and what is done to them. */

import { computed } from "@preact/signals";
import type { AnnotatorKernel } from "../annotator-kernel";
import type { ObjectInfo } from "../messages";
import type { Store } from "../store";
import type { SyncedTraits } from "../traits";

export class Objects {
  private adding: Promise<number | null> | null = null;

  constructor(
    private readonly kernel: AnnotatorKernel,
    private readonly synced: SyncedTraits,
    private readonly store: Store,
  ) {}

  /** The object that is edited: the chosen one, else the first. */
  readonly active = computed<ObjectInfo | null>(() => {
    const objects = this.kernel.objects.value;
    return objects.find((o) => o.id === this.synced.activeObject.value) ?? objects[0] ?? null;
  });

  /** Another frame is on the screen until the wanted one has come: nothing is meant for it. */
  readonly elsewhere = computed(
    () => this.store.coarse.value && this.store.shown.value !== this.synced.frame.signal.value,
  );

  readonly canEdit = computed(
    () =>
      !this.synced.readOnly.value &&
      this.store.shown.value >= 0 &&
      !this.elsewhere.value &&
      !this.active.value?.locked,
  );

  /** Whether the active object may be drawn on; says why where it may not. */
  mayEdit(): boolean {
    if (this.canEdit.value) return true;
    const object = this.active.value;
    if (this.synced.readOnly.value) this.announce("This view is for looking only");
    else if (object?.locked) this.announce(`${object.name} is locked`);
    else if (this.elsewhere.value) this.announce("The picture of this frame is on its way");
    return false;
  }

  /** Makes the first object, once for all that ask for it; null where it was refused. */
  addFirst(): Promise<number | null> {
    this.adding ??= this.add().finally(() => {
      this.adding = null;
    });
    return this.adding;
  }

  async add(): Promise<number | null> {
    const reply = await this.kernel.ask("object.add", { name: null });
    if (!reply) return null;
    this.synced.activeObject.set(reply.fields.object);
    return reply.fields.object;
  }

  /** Hides an object or shows it again: everywhere, or in this view where it is for looking only. */
  async toggleVisible({ id, name, visible }: ObjectInfo): Promise<void> {
    if (this.synced.readOnly.value) {
      const flipped = new Set(this.store.flipped.value);
      if (!flipped.delete(id)) flipped.add(id);
      this.store.flipped.value = flipped;
    } else if (!(await this.kernel.ask("object.update", { object: id, visible: !visible }))) return;
    this.announce(`${name} ${visible ? "hidden" : "shown"}`);
  }

  async toggleLocked({ id, name, locked }: ObjectInfo): Promise<void> {
    if (!(await this.kernel.ask("object.update", { object: id, locked: !locked }))) return;
    this.announce(`${name} ${locked ? "unlocked" : "locked"}`);
  }

  /** Whether it is gone. */
  async remove(object: number): Promise<boolean> {
    const name = this.kernel.objects.value.find(({ id }) => id === object)?.name;
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

  private announce(words: string): void {
    this.store.announcement.value = words;
  }
}
