/**
 * The unfinished work of one view: a draft per object and frame, which waits there when the
 * person looks elsewhere, and those that are on their way to the disk.
 */

import { computed, signal } from "@preact/signals";
import type { Rect, Size } from "../../masks/geometry";
import type { MaskLayer } from "../../masks/mask-layer";
import type { Masks } from "../../masks/mask-store";
import { decodeRuns } from "../../masks/runs";
import type { Store } from "../store";
import { CommittedOutlines } from "./committed-outlines";
import { Draft, type DraftKind } from "./draft";
import type { Objects } from "./objects";

/** Where drafts are shown. */
export interface DraftHost {
  layer: MaskLayer;
  /** Part of the shown masks changed, or all of them. */
  changed(rect?: Rect): void;
}

const key = ({ frame, object }: { frame: number; object: number }) => `${frame}:${object}`;

export class Drafts {
  /** Grows with every change of a draft. */
  readonly version = signal(0);

  private readonly kept = new Map<string, Draft>();
  /** Sent to the kernel and not acknowledged yet; shown until then. */
  private readonly committing = new Set<Draft>();
  /** Not taken while something was drawn over them: still shown, until that is a step. */
  private readonly returning = new Set<Draft>();
  private discarded: Draft | null = null;
  readonly outlines: CommittedOutlines;

  constructor(
    private readonly objects: Objects,
    private readonly store: Store,
    private readonly masks: Masks,
    private readonly host: DraftHost,
  ) {
    this.outlines = new CommittedOutlines(masks, this.size);
  }

  /** The draft of the active object on the shown frame. */
  readonly current = computed<Draft | null>(() => {
    this.version.value;
    const object = this.objects.active.value?.id;
    const frame = this.store.shown.value;
    return object === undefined ? null : (this.kept.get(key({ frame, object })) ?? null);
  });

  /** What has the vertices that can be moved: the draft, else what was committed last. */
  readonly movable = computed<Draft | null>(() => {
    this.masks.version.value;
    const draft = this.current.value;
    const object = this.objects.active.value?.id;
    if (object === undefined || (draft && !draft.isEmpty)) return draft;
    return this.outlines.at({ frame: this.store.shown.value, object }) ?? draft;
  });

  readonly kind = computed<DraftKind>(() => {
    this.version.value;
    return this.current.value?.kind ?? "none";
  });

  /** The predictor's own estimate for the mask it drew; null where there is none, or no longer. */
  readonly score = computed<number | null>(() => {
    this.version.value;
    return this.current.value?.score ?? null;
  });

  /** What the predicted mask takes from other objects: ids and pixels. */
  readonly takes = computed<[object: number, pixels: number][]>(() => {
    this.version.value;
    return Object.entries(this.current.value?.takes ?? {}).map(([id, n]) => [Number(id), n]);
  });

  /** Whether the shown frame's preview is being computed. */
  readonly predicting = computed(() => {
    this.version.value;
    return this.current.value?.waiting ?? false;
  });

  /** Frames with work that is not committed. */
  readonly unfinished = computed<readonly Draft[]>(() => {
    this.version.value;
    return this.shown(this.kept.values()).filter((draft) => !draft.isEmpty);
  });

  /** Annotations on their way to the disk. */
  readonly saving = computed<readonly Draft[]>(() => {
    this.version.value;
    return [...this.committing];
  });

  /** All drafts on a frame, those on their way to the kernel first. */
  on(frame: number): Draft[] {
    const all = this.shown([...this.committing, ...this.kept.values()]);
    return all.filter((draft) => draft.frame === frame);
  }

  /** The masks of a frame with what is on its way to the kernel, and `over` on top. */
  labels(frame: number, over: readonly Draft[]): Uint8Array {
    const under = [...this.committing].filter((draft) => draft.frame === frame);
    return this.compose(frame, [...under, ...over]);
  }

  /** The masks of a frame with every draft over them. */
  allLabels(frame: number): Uint8Array {
    return this.compose(frame, this.on(frame));
  }

  /** The current draft; a new one, and the first object, where there is none. */
  async open(): Promise<Draft | null> {
    if (!this.objects.mayEdit()) return null;
    const frame = this.store.shown.value;
    const object = await this.objects.inHand();
    if (object === null) return null;
    let draft = this.kept.get(key({ frame, object }));
    if (!draft || (draft.isReopened && draft.isEmpty)) {
      const { width, height } = this.host.layer;
      draft = new Draft(frame, object, width, height);
      this.kept.set(key(draft), draft);
      this.discarded = null;
    }
    return draft;
  }

  get size(): Size {
    const { width, height } = this.host.layer;
    return { width, height };
  }

  /** Takes a draft from before in, unless there is a newer one. */
  adopt(draft: Draft): void {
    if (this.kept.get(key(draft))?.isEmpty === false) return;
    this.kept.set(key(draft), draft);
    this.changed();
  }

  /** What was committed is a draft again; one that is in hand stays what it is. */
  reopen(draft: Draft): void {
    this.kept.set(key(draft), draft);
    this.version.value++;
  }

  /** Whether the draft is still the one of its object and frame. */
  keeps(draft: Draft): boolean {
    return this.kept.get(key(draft)) === draft;
  }

  /** The draft is on its way to the kernel. */
  send(draft: Draft): void {
    this.kept.delete(key(draft));
    this.committing.add(draft);
    this.changed();
  }

  /** The kernel has it. */
  arrived(draft: Draft): void {
    this.committing.delete(draft);
  }

  /** The kernel did not take it. */
  refused(draft: Draft): void {
    const newer = this.kept.get(key(draft));
    if (newer?.isBusy) {
      this.returning.add(draft);
      return;
    }
    this.returning.delete(draft);
    this.committing.delete(draft);
    if (newer && !newer.isEmpty) draft.append(newer);
    this.kept.set(key(draft), draft);
  }

  forget(draft: Draft): void {
    this.kept.delete(key(draft));
    this.changed();
  }

  /** All drafts of an object. */
  of(object: number): Draft[] {
    return [...this.kept.values()].filter((draft) => draft.object === object);
  }

  /** Throws the draft away, but for `restore`. */
  discard(draft: Draft): void {
    this.forget(draft);
    this.discarded = draft;
  }

  /** What was thrown away last, if it was on the shown frame and object and nothing is there now. */
  get restorable(): Draft | null {
    const draft = this.discarded;
    const object = this.objects.active.value?.id;
    const here = draft?.frame === this.store.shown.value && draft.object === object;
    return here && !this.current.value ? draft : null;
  }

  restore(draft: Draft): void {
    this.discarded = null;
    this.kept.set(key(draft), draft);
  }

  /** Something of a draft is another now: everywhere, or within `rect`. */
  changed(rect?: Rect): void {
    for (const draft of this.returning) this.refused(draft);
    this.version.value++;
    this.host.changed(rect);
  }

  clear(): void {
    this.kept.clear();
  }

  /** Those whose object is there: it may be gone, and undo brings it back. */
  private shown(drafts: Iterable<Draft>): Draft[] {
    return [...drafts].filter(({ object }) => this.objects.has(object));
  }

  /** The known masks of a frame, which need not be the one that is shown, with drafts over them. */
  private compose(frame: number, drafts: readonly Draft[]): Uint8Array {
    const { width, height, all } = this.host.layer;
    const labels = new Uint8Array(width * height);
    const runs = this.masks.get(frame);
    if (runs) decodeRuns(runs, labels);
    for (const draft of drafts) draft.compose(labels, this.objects.locked(), all);
    return labels;
  }
}
