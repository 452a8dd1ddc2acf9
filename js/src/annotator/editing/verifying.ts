/**
 * Verifying proposed points on a frame, an annotation type of its own: each answer is a label of
 * one pixel, on disk at once. One that contradicts the mask is a click of the draft too, so that
 * the mask follows from the answers as it does from clicks, and is committed as they are.
 */

import { computed, effect, signal } from "@preact/signals";
import type { Point } from "../../masks/geometry";
import type { AnnotatorKernel } from "../annotator-kernel";
import type { PointLabel } from "../messages";
import type { Store } from "../store";
import type { Annotations } from "./annotations";
import type { Drafts } from "./drafts";
import type { Objects } from "./objects";

/** Points of a frame that are asked about, and which of them it is. */
interface Round {
  frame: number;
  object: number;
  points: readonly (readonly [x: number, y: number, region: number])[];
  /** Whether the mask says of each that it is on the object. */
  inside: readonly boolean[];
  place: number;
  /** How many answers contradicted the mask. */
  contradicted: number;
}

/** What is asked just now. */
export interface AskedPoint {
  at: Point;
  region: number;
  place: number;
  of: number;
}

export class Verifying {
  private readonly round = signal<Round | null>(null);
  private proposing = false;
  private readonly stopFollowing: () => void;

  constructor(
    private readonly kernel: AnnotatorKernel,
    private readonly store: Store,
    private readonly objects: Objects,
    private readonly drafts: Drafts,
    private readonly annotations: Annotations,
    private readonly width: number,
    private readonly click: (at: Point, positive: boolean) => Promise<void>,
  ) {
    // Points are of one object on one frame: with another in hand, they are no more.
    this.stopFollowing = effect(() => {
      const round = this.round.value;
      if (!round) return;
      const there = store.shown.value === round.frame && !objects.elsewhere.value;
      if (!there || objects.active.value?.id !== round.object) this.stop();
    });
  }

  readonly asked = computed<AskedPoint | null>(() => {
    const round = this.round.value;
    if (!round) return null;
    const [x, y, region] = round.points[round.place];
    return { at: { x, y }, region, place: round.place, of: round.points.length };
  });

  /** Has points of the shown frame proposed, and asks about the first. */
  async start(): Promise<void> {
    const object = this.objects.active.value;
    if (this.proposing || this.round.value || !object || !this.objects.mayEdit()) return;
    const frame = this.store.shown.value;
    this.proposing = true;
    const reply = await this.kernel.ask("points.propose", { frame, object: object.id });
    this.proposing = false;
    if (!reply || this.store.shown.value !== frame) return;
    const { points } = reply.fields;
    if (points.length === 0) {
      this.announce("No points to propose before a pass has been over this frame");
      return;
    }
    const labels = this.drafts.labels(frame, []);
    const inside = points.map(([x, y]) => labels[y * this.width + x] === object.id);
    this.round.value = { frame, object: object.id, points, inside, place: 0, contradicted: 0 };
  }

  /** Answers the point that is asked about, and asks about the next. */
  async answer(label: PointLabel): Promise<void> {
    const round = this.round.value;
    if (!round) return;
    const { frame, object, points, inside, place } = round;
    const [x, y, region] = points[place];
    const seconds = this.annotations.measured();
    const last = place + 1 === points.length;
    const contradicts = label !== "unknown" && (label === "positive") !== inside[place];
    const contradicted = round.contradicted + Number(contradicts);
    this.round.value = last ? null : { ...round, place: place + 1, contradicted };
    const labelled = this.kernel.ask("point.label", {
      ...{ frame, object, x, y, region, label, seconds },
    });
    if (contradicts) await this.click({ x, y }, label === "positive");
    await labelled;
    if (last) {
      this.announce(
        contradicted > 0
          ? `${contradicted} of ${points.length} answers contradicted the mask`
          : "No answer contradicted the mask: accept it, or correct what you see",
      );
    }
  }

  /** Asks no more; what was answered stays. */
  stop(): void {
    this.round.value = null;
  }

  close(): void {
    this.stopFollowing();
  }

  private announce(words: string): void {
    this.store.announcement.value = words;
  }
}
