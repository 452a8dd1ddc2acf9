/**
 * The tools: what clicks, boxes, scribbles, strokes, fills and outlines leave in the draft of the
 * object in hand. What becomes of drafts is in the parts beside it.
 */

import { computed } from "@preact/signals";
import { regionAt } from "../../masks/flood";
import { type Point, whole } from "../../masks/geometry";
import type { Masks } from "../../masks/mask-store";
import { closesAt, vertexNear } from "../../masks/polygon";
import type { Activity } from "../../ui/activity";
import type { AnnotatorKernel } from "../annotator-kernel";
import type { Box, ObjectInfo, Tool } from "../messages";
import { refusal } from "../prompts";
import type { Store } from "../store";
import type { SyncedTraits } from "../traits";
import { Annotations, TOO_FEW_VERTICES } from "./annotations";
import type { Draft, Handle } from "./draft";
import { type DraftHost, Drafts } from "./drafts";
import { History } from "./history";
import { ERASED, PAINTED } from "./layers";
import { Objects } from "./objects";
import { Previews } from "./previews";
import { Stroke } from "./stroke";
import { Verifying } from "./verifying";

/** A change of marks alone: no pixel of a mask is another. */
const NOWHERE = whole(0, 0);

export class Editor {
  readonly objects: Objects;
  readonly drafts: Drafts;
  readonly annotations: Annotations;
  readonly history: History;
  readonly verifying: Verifying;
  private readonly previews: Previews;
  /** A vertex of it is in hand. */
  private moving: Draft | null = null;

  constructor(
    private readonly kernel: AnnotatorKernel,
    private readonly synced: SyncedTraits,
    private readonly store: Store,
    masks: Masks,
    private readonly host: DraftHost,
    activity: Activity,
  ) {
    this.objects = new Objects(kernel, synced, store, (object) => this.forgetAll(object));
    this.drafts = new Drafts(this.objects, store, masks, host);
    this.previews = new Previews(kernel, this.drafts, store);
    this.annotations = new Annotations(
      kernel,
      store,
      masks,
      this.objects,
      this.drafts,
      this.previews,
      activity,
    );
    this.history = new History(kernel, store, this.drafts, this.previews, this.annotations);
    this.verifying = new Verifying(
      kernel,
      store,
      this.objects,
      this.drafts,
      this.annotations,
      host.layer.width,
      (at, positive) => this.click(at, positive),
    );
  }

  readonly tool = computed<Tool>(() => {
    const chosen = this.synced.tool.value;
    const able = this.kernel.capabilities.value;
    const first = able?.predictor_learned ? "clicks" : "brush";
    const tool = chosen === "auto" ? first : chosen;
    return refusal(able, tool) === null ? tool : "brush";
  });

  /** Whether the brush or the eraser can be used: then its ring takes the pointer's place. */
  readonly brushes = computed(
    () =>
      this.objects.canEdit.value && (this.tool.value === "brush" || this.tool.value === "eraser"),
  );

  async click(at: Point, positive: boolean): Promise<void> {
    await this.prompt((draft) => draft.addClick([at.x, at.y, positive ? 1 : 0]));
  }

  /** Whether the other objects of the frame are told to the predictor too; the prompts in hand are asked anew. */
  answerTogether(together: boolean): void {
    this.store.together.value = together;
    const draft = this.drafts.current.value;
    if (draft && (draft.clicks.length > 0 || draft.scribbles.length > 0)) this.previews.ask(draft);
  }

  async box(box: Box): Promise<void> {
    await this.prompt((draft) => draft.setBox(box));
  }

  async scribble(points: readonly Point[], positive: boolean): Promise<void> {
    await this.prompt((draft) =>
      draft.addScribble({ points: points.map(({ x, y }) => [x, y]), positive }),
    );
  }

  /**
   * Adds a vertex to the open outline; the first decides whether its inside is erased. Within
   * `reach` of the first, the outline is closed instead.
   */
  async vertex(at: Point, erase: boolean, reach: number): Promise<void> {
    const draft = await this.drafts.open();
    if (!draft) return;
    if (draft.path && closesAt(draft.path.vertices, at, reach)) return this.closePolygon();
    draft.addVertex(at, erase ? ERASED : PAINTED);
    this.drafts.changed(NOWHERE);
  }

  /** Closes the outline if one is open: after every vertex that was placed before. */
  async finishPolygon(): Promise<void> {
    const draft = await this.drafts.open();
    if (draft?.path) this.closePolygon();
  }

  closePolygon(): void {
    const rect = this.drafts.current.value?.closePath();
    if (rect) this.drafts.changed(rect);
    else this.announce(TOO_FEW_VERTICES);
  }

  /** Gives the open outline up; undo brings it back. */
  leavePolygon(): void {
    this.drafts.current.value?.leavePath();
    this.drafts.changed(NOWHERE);
  }

  /** The nearest vertex within `reach`, of the open outline first. */
  vertexAt(at: Point, reach: number): Handle | null {
    const draft = this.drafts.movable.value;
    if (!draft || !this.objects.canEdit.value) return null;
    const outlines = [draft.path, ...draft.polygons.toReversed()];
    for (const [index, outline] of outlines.entries()) {
      const vertex = outline ? vertexNear(outline.vertices, at, reach) : -1;
      if (vertex < 0) continue;
      return { polygon: index === 0 ? -1 : outlines.length - 1 - index, vertex };
    }
    return null;
  }

  /** Takes a vertex in hand. */
  take(handle: Handle): void {
    const draft = this.drafts.movable.value;
    if (!draft) return;
    this.drafts.reopen(draft);
    draft.beginMove(handle);
    this.moving = draft;
  }

  moveVertex(to: Point): void {
    if (this.moving) this.drafts.changed(this.moving.move(to));
  }

  endMove(): void {
    this.moving?.endMove();
    this.moving = null;
    this.drafts.changed(NOWHERE);
  }

  cancelMove(): void {
    this.moving?.cancel();
    this.moving = null;
    this.drafts.changed();
  }

  /** Fills the hole around a point, or takes the piece away that it lies in. */
  async fill(at: Point, erase: boolean): Promise<void> {
    if (!this.objects.mayEdit() || !this.objects.active.value) return;
    const object = await this.objects.inHand();
    if (object === null) return;
    const { layer } = this.host;
    const labels = this.drafts.allLabels(this.store.shown.value);
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
    const draft = await this.drafts.open();
    draft?.fill(erase ? ERASED : PAINTED, region.rect, region.spans);
    this.drafts.changed(region.rect);
  }

  /** Makes the object under a point the active one. */
  pick(at: Point): void {
    const object = this.objectAt(at);
    if (object) this.synced.activeObject.set(object.id);
    this.announce(
      object ? `${this.objects.called(object.id)} is in hand` : "There is no object here",
    );
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
    if (!this.objects.mayEdit()) return null;
    const stroke = new Stroke(this.store.brushSize.value, (rect) => this.drafts.changed(rect));
    this.drafts
      .open()
      .then((draft) => stroke.attach(draft, erase ? ERASED : PAINTED))
      .catch((error) => this.kernel.fail(error));
    return stroke;
  }

  /** Removes an object, and the work on it that is not committed. */
  async removeObject(object: number): Promise<void> {
    if (await this.objects.remove(object)) this.forgetAll(object);
  }

  /** Makes an object part of another; the work on it that is not committed is gone. */
  async mergeObject(object: number, into: number): Promise<void> {
    if (await this.objects.merge(object, into)) this.forgetAll(object);
  }

  close(): void {
    this.verifying.close();
    this.annotations.close();
    this.previews.close();
    this.drafts.clear();
  }

  private async prompt(add: (draft: Draft) => void): Promise<void> {
    const draft = await this.drafts.open();
    if (!draft) return;
    add(draft);
    this.previews.ask(draft);
    this.drafts.changed();
  }

  private forgetAll(object: number): void {
    for (const draft of this.drafts.of(object)) {
      this.previews.drop(draft);
      this.drafts.forget(draft);
    }
  }

  private announce(words: string): void {
    this.store.announcement.value = words;
  }
}
