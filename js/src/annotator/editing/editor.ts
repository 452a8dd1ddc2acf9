/**
 * Unfinished work and how it becomes an annotation: what the tools leave on the frame that is
 * shown, its previews, commit, discard, undo and redo.
 *
 * A draft belongs to an object on a frame and waits there when the person looks elsewhere.
 */

import { computed, effect, signal } from "@preact/signals";
import type { Point } from "../../masks/brush";
import { regionAt } from "../../masks/flood";
import type { MaskLayer } from "../../masks/mask-layer";
import type { Masks } from "../../masks/mask-store";
import { vertexNear } from "../../masks/polygon";
import { type Rect, whole } from "../../masks/rect";
import { decodeRuns, encodeRuns, runsFromBuffer } from "../../masks/runs";
import { isAbort, isGone, KernelError } from "../../wire/channel";
import type { Kernel } from "../../wire/kernel";
import type { Box, ObjectInfo, Tool } from "../../wire/protocol";
import type { SyncedTraits } from "../../wire/synced";
import type { Store } from "../store";
import { Draft, type DraftKind, ERASED, type Handle, PAINTED, type Paint } from "./draft";

/** What the drawing surface needs to know about an edit. */
export interface EditorHost {
  layer: MaskLayer;
  /** Part of the shown masks changed, or all of them. */
  changed(rect?: Rect): void;
}

/** How often a preview is asked for that a commit waits for, where others took its place. */
const ATTEMPTS = 5;

/** A change of marks alone: no pixel of a mask is another. */
const NOWHERE = whole(0, 0);

const key = (frame: number, object: number) => `${frame}:${object}`;

export class Editor {
  /** Grows with every change of a draft. */
  readonly version = signal(0);

  private readonly drafts = new Map<string, Draft>();
  /** Sent to the kernel and not acknowledged yet; shown until then. */
  private readonly committing = new Set<Draft>();
  private discarded: Draft | null = null;
  private readonly previews = new Map<Draft, { abort: AbortController; done: Promise<void> }>();
  private adding: Promise<number | null> | null = null;
  private since = performance.now();
  private readonly stop: () => void;

  constructor(
    private readonly kernel: Kernel,
    private readonly synced: SyncedTraits,
    private readonly store: Store,
    private readonly masks: Masks,
    private readonly host: EditorHost,
  ) {
    const stops = [
      effect(() => {
        store.shown.value;
        this.since = performance.now();
      }),
      effect(() => {
        const draft = this.current.value;
        const asks = draft?.waiting && !this.previews.has(draft) && !kernel.gone.value;
        if (asks) this.preview(draft);
      }),
    ];
    this.stop = () => {
      for (const stop of stops) stop();
    };
  }

  /** The object that is edited: the chosen one, else the first. */
  readonly object = computed<ObjectInfo | null>(() => {
    const objects = this.kernel.objects.value;
    return objects.find((o) => o.id === this.synced.activeObject.value) ?? objects[0] ?? null;
  });

  readonly tool = computed<Tool>(() => {
    const chosen = this.synced.tool.value;
    const able = this.kernel.capabilities.value;
    if (chosen === "box" && able?.box === false) return "brush";
    if (chosen === "clicks" && able?.clicks === false) return "brush";
    if (chosen === "scribble" && able?.clicks === false) return "brush";
    if (chosen !== "auto") return chosen;
    return able?.predictor_learned && able.clicks ? "clicks" : "brush";
  });

  readonly canEdit = computed(
    () => !this.synced.readOnly.value && this.store.shown.value >= 0 && !this.object.value?.locked,
  );

  /** Whether the brush or the eraser can be used: then its ring takes the pointer's place. */
  readonly brushes = computed(
    () => this.canEdit.value && (this.tool.value === "brush" || this.tool.value === "eraser"),
  );

  /** The draft of the active object on the shown frame. */
  readonly current = computed<Draft | null>(() => {
    this.version.value;
    const object = this.object.value;
    return object ? (this.drafts.get(key(this.store.shown.value, object.id)) ?? null) : null;
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

  /** Frames with work that is not committed. */
  readonly unfinished = computed<{ frame: number; object: number }[]>(() => {
    this.version.value;
    return [...this.drafts.values()].filter((draft) => !draft.isEmpty);
  });

  /** Whether the shown frame's preview is being computed. */
  readonly predicting = computed(() => {
    this.version.value;
    return this.current.value?.waiting ?? false;
  });

  /** How many annotations are on their way to the disk. */
  readonly saving = computed(() => {
    this.version.value;
    return this.committing.size;
  });

  /** All drafts on a frame, those on their way to the kernel first. */
  on(frame: number): Draft[] {
    return [...this.committing, ...this.drafts.values()].filter((draft) => draft.frame === frame);
  }

  // Tools

  /** Whether the active object may be drawn on; says why where it may not. */
  mayEdit(): boolean {
    if (this.canEdit.value) return true;
    const object = this.object.value;
    if (this.synced.readOnly.value) this.announce("This view is for looking only");
    else if (object?.locked) this.announce(`${object.name} is locked`);
    return false;
  }

  async click(at: Point, positive: boolean): Promise<void> {
    const draft = await this.open();
    if (!draft) return;
    draft.addClick([at.x, at.y, positive ? 1 : 0]);
    this.preview(draft);
    this.changed();
  }

  async box(box: Box): Promise<void> {
    const draft = await this.open();
    if (!draft) return;
    draft.setBox(box);
    this.preview(draft);
    this.changed();
  }

  async scribble(points: readonly Point[], positive: boolean): Promise<void> {
    const draft = await this.open();
    if (!draft) return;
    draft.addScribble({ points: points.map(({ x, y }) => [x, y]), positive });
    this.preview(draft);
    this.changed();
  }

  /**
   * Adds a vertex to the open outline; the first decides whether its inside is erased. While the
   * first object was still being made, the outline may have come within `reach` of the point.
   */
  async vertex(at: Point, erase: boolean, reach: number): Promise<void> {
    const draft = await this.open();
    if (!draft) return;
    const { vertices } = draft.path ?? { vertices: [] };
    const near = vertexNear(vertices, at, reach);
    if (near >= 0 && (near === 0 || near === vertices.length - 1)) return this.closePolygon();
    draft.addVertex(at, erase ? ERASED : PAINTED);
    this.changed(NOWHERE);
  }

  closePolygon(): void {
    const rect = this.current.value?.closePath();
    if (rect) this.changed(rect);
    else this.announce("An outline needs three points or more");
  }

  /** Gives the open outline up; undo brings it back. */
  leavePolygon(): void {
    this.current.value?.leavePath();
    this.changed(NOWHERE);
  }

  /** Takes the nearest vertex within `reach` in hand, of the open outline first. */
  grab(at: Point, reach: number): Handle | null {
    const draft = this.current.value;
    if (!draft || !this.canEdit.value) return null;
    const outlines = [draft.path, ...draft.polygons.toReversed()];
    for (const [index, outline] of outlines.entries()) {
      const vertex = outline ? vertexNear(outline.vertices, at, reach) : -1;
      if (vertex < 0) continue;
      const handle = { polygon: index === 0 ? -1 : outlines.length - 1 - index, vertex };
      draft.beginMove(handle);
      return handle;
    }
    return null;
  }

  moveVertex(to: Point): void {
    const draft = this.current.value;
    if (draft) this.changed(draft.move(to));
  }

  endMove(): void {
    this.current.value?.endMove();
    this.changed(NOWHERE);
  }

  cancelMove(): void {
    this.current.value?.cancel();
    this.changed();
  }

  /** Fills the hole around a point, or takes the piece away that it lies in. */
  async fill(at: Point, erase: boolean): Promise<void> {
    const object = this.object.value?.id;
    if (!this.mayEdit() || object === undefined) return;
    const { layer } = this.host;
    const frame = this.store.shown.value;
    const labels = this.labels(frame, this.on(frame));
    const [x, y] = [Math.round(at.x), Math.round(at.y)];
    const inside = labels[y * layer.width + x] === object;
    if (inside !== erase) {
      this.announce(
        erase ? "There is no mask to take away here" : "This is inside the mask already",
      );
      return;
    }
    const region = regionAt(labels, layer.width, x, y, object);
    if (!erase && !region.enclosed) {
      this.announce("The mask does not close around this point, so nothing was filled");
      return;
    }
    const draft = await this.open();
    draft?.fill(erase ? ERASED : PAINTED, region.rect, region.spans);
    this.changed(region.rect);
  }

  /** Makes the object under a point the active one. */
  pick(at: Point): void {
    const object = this.objectAt(at);
    if (object) this.synced.activeObject.set(object.id);
    this.announce(object ? `${object.name} is in hand` : "There is no object here");
  }

  objectAt({ x, y }: Point): ObjectInfo | undefined {
    const { labels, width, height } = this.host.layer;
    const [column, row] = [Math.round(x), Math.round(y)];
    if (column < 0 || row < 0 || column >= width || row >= height) return undefined;
    const label = labels[row * width + column];
    return this.kernel.objects.value.find(({ id }) => id === label);
  }

  /**
   * A stroke in progress, or null where none can be drawn. Points that come while the first
   * object is still being made are kept and drawn once it is there.
   */
  stroke(erase: boolean): Stroke | null {
    if (!this.mayEdit()) return null;
    const stroke = new Stroke(this.store.brushSize.value, (rect) => this.changed(rect));
    this.open()
      .then((draft) => stroke.attach(draft, erase ? ERASED : PAINTED))
      .catch((error) => this.kernel.fail(error));
    return stroke;
  }

  // From draft to annotation

  /**
   * Saves the draft in hand. It is the one that was in hand when this was asked for: while the
   * last preview is on its way, the person may look elsewhere.
   */
  async commit(propagate: boolean): Promise<void> {
    const draft = this.current.value;
    if (!draft || draft.isEmpty) return;
    if (draft.path && !draft.closePath()) draft.leavePath();
    if (draft.isEmpty) {
      this.changed();
      this.announce("An outline needs three points or more");
      return;
    }
    const seconds = this.measured();
    if (!(await this.answered(draft)) || draft.isEmpty) return;
    const { frame, object, kind, clicks } = draft;
    if (kind === "none") return;
    const id = key(frame, object);
    const under = [...this.committing].filter((other) => other.frame === frame);
    const labels = this.labels(frame, [...under, draft]);
    const runs = encodeRuns(labels.map((label) => (label === object ? 1 : 0)));
    const before = this.masks.revision(frame);
    this.drafts.delete(id);
    this.committing.add(draft);
    this.changed();
    try {
      await this.kernel.request(
        "mask.commit",
        {
          frame,
          object,
          annotation_type: kind === "brush" || kind === "polygon" ? "mask" : kind,
          seconds,
          clicks,
          propagate,
        },
        { buffers: [runs] },
      );
      this.committing.delete(draft);
      if (this.masks.revision(frame) === before) this.masks.assume(frame, encodeRuns(labels));
      this.store.announcement.value = `Frame ${frame} saved`;
    } catch (error) {
      this.committing.delete(draft);
      // Newer strokes on the same object lie on top of it already and are kept instead.
      if (!this.drafts.has(id)) this.drafts.set(id, draft);
      this.kernel.fail(error);
    }
    this.changed();
  }

  /** Whether the active object has a committed mask on the shown frame. */
  get showsMask(): boolean {
    const object = this.object.value;
    return object !== null && this.masks.shows(this.store.shown.value, object.id);
  }

  /** Says of the active object that its mask is right as shown, or that it is not in the frame. */
  async say(what: "verified" | "absent"): Promise<void> {
    const object = this.object.value;
    if (!object || !this.canEdit.value) return;
    const frame = this.store.shown.value;
    const under = [...this.committing].filter((draft) => draft.frame === frame);
    const labels = this.labels(frame, under);
    const right = what === "verified";
    const runs = encodeRuns(labels.map((label) => (right && label === object.id ? 1 : 0)));
    const reply = await this.kernel.ask(
      "mask.commit",
      {
        frame,
        object: object.id,
        annotation_type: what,
        seconds: this.measured(),
        clicks: [],
        propagate: false,
      },
      { buffers: [runs] },
    );
    if (!reply) return;
    const said = right ? "accepted as it is" : "marked absent";
    this.announce(`${object.name} ${said} on frame ${frame}`);
  }

  /** Throws the draft away; the next undo brings it back. */
  discard(): void {
    const draft = this.current.value;
    if (!draft) return;
    this.forget(draft);
    this.discarded = draft;
    this.store.announcement.value = "Draft discarded, undo brings it back";
  }

  // History: unfinished work first, then what the kernel keeps

  readonly undoLabel = computed<string | null>(() => {
    this.version.value;
    if (this.current.value?.canUndo) return this.current.value.lastStep;
    if (this.restorable) return "discard";
    return this.kernel.state.value?.undo ?? null;
  });

  readonly redoLabel = computed<string | null>(() => {
    this.version.value;
    if (this.current.value?.canRedo) return "last step";
    return this.current.value?.canUndo ? null : (this.kernel.state.value?.redo ?? null);
  });

  async undo(): Promise<void> {
    const draft = this.current.value;
    if (draft?.undo()) return this.stepped(draft);
    const { restorable } = this;
    if (restorable) {
      this.discarded = null;
      this.drafts.set(key(restorable.frame, restorable.object), restorable);
      return this.stepped(restorable);
    }
    const reply = await this.kernel.ask("history.undo", {});
    if (reply?.fields.label) this.store.announcement.value = `Undone: ${reply.fields.label}`;
  }

  async redo(): Promise<void> {
    const draft = this.current.value;
    if (draft?.redo()) return this.stepped(draft);
    const reply = await this.kernel.ask("history.redo", {});
    if (reply?.fields.label) this.store.announcement.value = `Redone: ${reply.fields.label}`;
  }

  // Objects

  async addObject(): Promise<number | null> {
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

  async removeObject(object: number): Promise<void> {
    const name = this.kernel.objects.value.find(({ id }) => id === object)?.name;
    if (!(await this.kernel.ask("object.remove", { object }))) return;
    this.forgetAll(object);
    this.announce(`${name} removed, undo brings it back`);
  }

  async mergeObject(object: number, into: number): Promise<void> {
    if (!(await this.kernel.ask("object.merge", { object, into }))) return;
    this.forgetAll(object);
    this.synced.activeObject.set(into);
    this.announce("Two objects merged, undo parts them again");
  }

  /** 1 at the label of every locked object. */
  locked(): Uint8Array {
    const locked = new Uint8Array(256);
    for (const { id, locked: yes } of this.kernel.objects.value) locked[id] = yes ? 1 : 0;
    return locked;
  }

  close(): void {
    this.stop();
    for (const { abort } of this.previews.values()) abort.abort();
    this.drafts.clear();
  }

  /** The known masks of a frame, which need not be the one that is shown, with drafts over them. */
  private labels(frame: number, drafts: readonly Draft[]): Uint8Array {
    const { width, height, all } = this.host.layer;
    const labels = new Uint8Array(width * height);
    const runs = this.masks.get(frame);
    if (runs) decodeRuns(runs, labels);
    for (const draft of drafts) draft.compose(labels, this.locked(), all);
    return labels;
  }

  /** Waits for the answer to a draft's latest prompt. Whether the draft can be committed then. */
  private async answered(draft: Draft): Promise<boolean> {
    const { gone } = this.kernel;
    const kept = () => this.drafts.get(key(draft.frame, draft.object)) === draft && !gone.peek();
    for (let attempt = 0; draft.waiting && kept() && attempt < ATTEMPTS; attempt++) {
      // The kernel answers the newest question only; one from another frame may be newer.
      if (!this.previews.has(draft)) this.preview(draft);
      await this.previews.get(draft)?.done;
    }
    if (!kept()) return false;
    if (draft.waiting) {
      const words = `frame ${draft.frame} is not saved: its preview did not come; commit it again.`;
      this.kernel.fail(new Error(words));
    }
    return !draft.waiting;
  }

  private get restorable(): Draft | null {
    const draft = this.discarded;
    const here = draft?.frame === this.store.shown.value && draft.object === this.object.value?.id;
    return here && !this.current.value ? draft : null;
  }

  /** The current draft; a new one, and the first object, where there is none. */
  private async open(): Promise<Draft | null> {
    if (!this.mayEdit()) return null;
    const frame = this.store.shown.value;
    let object = this.object.value?.id ?? null;
    if (object === null) {
      this.adding ??= this.addObject().finally(() => {
        this.adding = null;
      });
      object = await this.adding;
      if (object === null) return null;
    }
    const id = key(frame, object);
    let draft = this.drafts.get(id);
    if (!draft) {
      draft = new Draft(frame, object, this.host.layer.width, this.host.layer.height);
      this.drafts.set(id, draft);
      this.discarded = null;
    }
    return draft;
  }

  /** Seconds since the frame was shown or the last annotation; they count once. */
  private measured(): number {
    const now = performance.now();
    const seconds = (now - this.since) / 1000;
    this.since = now;
    return seconds;
  }

  private forgetAll(object: number): void {
    for (const draft of [...this.drafts.values()]) if (draft.object === object) this.forget(draft);
  }

  private forget(draft: Draft): void {
    this.previews.get(draft)?.abort.abort();
    this.previews.delete(draft);
    this.drafts.delete(key(draft.frame, draft.object));
    this.changed();
  }

  /** After a step back or forth: the prompts may now be others than those predicted. */
  private stepped(draft: Draft): void {
    this.previews.get(draft)?.abort.abort();
    this.previews.delete(draft);
    if (draft.waiting) this.preview(draft);
    this.changed();
  }

  /** Asks for the mask of the draft's prompts; an older question of the same draft is dropped. */
  private preview(draft: Draft): void {
    this.previews.get(draft)?.abort.abort();
    const abort = new AbortController();
    const done = this.predict(draft, abort.signal)
      .finally(() => {
        if (this.previews.get(draft)?.abort !== abort) return;
        this.previews.delete(draft);
        this.changed();
      })
      .catch((error) => this.kernel.fail(error));
    this.previews.set(draft, { abort, done });
  }

  private async predict(draft: Draft, signal: AbortSignal): Promise<void> {
    const { frame, object, clicks, box, scribbles } = draft;
    try {
      const reply = await this.kernel.request(
        "prompt.preview",
        { frame, object, clicks, box, scribbles },
        { signal },
      );
      const mask = new Uint8Array(draft.width * draft.height);
      decodeRuns(runsFromBuffer(reply.buffers[0]), mask);
      draft.setPrediction(mask, reply.fields.score);
    } catch (error) {
      if (isAbort(error)) return;
      // Asked on another frame in the meantime; this one is asked again when it is back in hand.
      if (error instanceof KernelError && error.code === "superseded") return;
      // What a kernel that is no more was asked stays as it is; the view keeps its drafts.
      if (!isGone(error)) draft.dropPrompt();
      this.kernel.fail(error);
    }
  }

  private announce(words: string): void {
    this.store.announcement.value = words;
  }

  /** Something of a draft is another now: everywhere, or within `rect`. */
  private changed(rect?: Rect): void {
    this.version.value++;
    this.host.changed(rect);
  }
}

/** One movement of the brush, from the pointer going down to it coming up. */
export class Stroke {
  private readonly points: Point[] = [];
  private drawn = 0;
  private draft: Draft | null = null;
  private state: "open" | "ended" | "cancelled" = "open";

  constructor(
    private readonly diameter: number,
    private readonly changed: (rect?: Rect) => void,
  ) {}

  extend(point: Point): void {
    this.points.push(point);
    this.draw();
  }

  end(): void {
    if (this.state !== "open") return;
    this.state = "ended";
    this.draft?.endStroke();
    this.changed();
  }

  cancel(): void {
    if (this.state !== "open") return;
    this.state = "cancelled";
    this.draft?.cancel();
    this.changed();
  }

  attach(draft: Draft | null, value: Paint): void {
    if (!draft || this.state === "cancelled") return;
    this.draft = draft;
    draft.beginStroke(value);
    this.draw();
    if (this.state === "ended") {
      draft.endStroke();
      this.changed();
    }
  }

  private draw(): void {
    if (!this.draft) return;
    for (; this.drawn < this.points.length; this.drawn++) {
      const from = this.points[Math.max(0, this.drawn - 1)];
      this.changed(this.draft.extendStroke(from, this.points[this.drawn], this.diameter));
    }
  }
}
