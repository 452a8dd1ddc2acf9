/**
 * Unfinished work on one object of one frame: clicks, a box and brush strokes that are not
 * committed yet. Pure: no DOM, no kernel.
 *
 * Strokes lie on top of what is predicted from the clicks, which replaces what is committed:
 * a click after a stroke therefore keeps the stroke. Every click, box and stroke is one step
 * that undo takes back and redo brings again.
 */

import { type Point, strokeSegment } from "./brush";
import type { Box, Click } from "./protocol";
import { isEmpty, type Rect, union, whole } from "./rect";

export type DraftKind = "none" | "clicks" | "box" | "brush";

/** What a stroke leaves on the pixels it touches; 0 is an untouched pixel. */
export const PAINTED = 1;
export const ERASED = 2;

interface PromptStep {
  kind: "click" | "box";
  clicks: Click[];
  box: Box | null;
  /** Binary mask predicted from the prompts up to this step, once it has arrived. */
  predicted: Uint8Array | null;
}

interface StrokeStep {
  kind: "stroke";
  rect: Rect;
  before: Uint8Array;
  after: Uint8Array;
}

type Step = PromptStep | StrokeStep;

interface OpenStroke {
  value: typeof PAINTED | typeof ERASED;
  before: Uint8Array;
  rect: Rect | null;
}

export class Draft {
  private readonly edit: Uint8Array;
  private steps: Step[] = [];
  private undone: Step[] = [];
  private stroke: OpenStroke | null = null;

  constructor(
    readonly frame: number,
    readonly object: number,
    readonly width: number,
    readonly height: number,
  ) {
    this.edit = new Uint8Array(width * height);
  }

  get kind(): DraftKind {
    if (this.stroke || this.steps.some((s) => s.kind === "stroke")) return "brush";
    if (this.steps.some((s) => s.kind === "click")) return "clicks";
    return this.steps.length > 0 ? "box" : "none";
  }

  get isEmpty(): boolean {
    return this.kind === "none";
  }

  get clicks(): Click[] {
    return this.lastPrompt?.clicks ?? [];
  }

  get box(): Box | null {
    return this.lastPrompt?.box ?? null;
  }

  /** Whether the latest click or box still waits for its prediction. */
  get waiting(): boolean {
    return this.lastPrompt?.predicted === null;
  }

  get canUndo(): boolean {
    return this.stroke !== null || this.steps.length > 0;
  }

  get canRedo(): boolean {
    return this.undone.length > 0;
  }

  addClick(click: Click): void {
    this.prompt({ kind: "click", clicks: [...this.clicks, click], box: this.box });
  }

  setBox(box: Box): void {
    this.prompt({ kind: "box", clicks: this.clicks, box });
  }

  /** Stores the prediction for the latest prompt; it was asked for with exactly that prompt. */
  setPrediction(mask: Uint8Array): void {
    if (this.lastPrompt) this.lastPrompt.predicted = mask;
  }

  /** Drops the latest prompt, which cannot be answered. */
  dropPrompt(): void {
    const last = this.lastPrompt;
    this.steps = this.steps.filter((step) => step !== last);
  }

  beginStroke(value: typeof PAINTED | typeof ERASED): void {
    this.stroke = { value, before: this.edit.slice(), rect: null };
  }

  /** Draws on from `a` to `b`; returns what changed. */
  extendStroke(a: Point, b: Point, diameter: number): Rect {
    const stroke = this.stroke;
    if (!stroke) return whole(0, 0);
    const rect = strokeSegment(this.width, this.height, a, b, diameter, (start, end) =>
      this.edit.fill(stroke.value, start, end),
    );
    stroke.rect = union(stroke.rect, rect);
    return rect;
  }

  endStroke(): void {
    const stroke = this.stroke;
    this.stroke = null;
    if (!stroke?.rect || isEmpty(stroke.rect)) return;
    this.push({
      kind: "stroke",
      rect: stroke.rect,
      before: cut(stroke.before, this.width, stroke.rect),
      after: cut(this.edit, this.width, stroke.rect),
    });
  }

  /** Takes back the stroke in progress, else the latest step. Returns whether there was one. */
  undo(): boolean {
    if (this.stroke) {
      this.edit.set(this.stroke.before);
      this.stroke = null;
      return true;
    }
    const step = this.steps.pop();
    if (!step) return false;
    if (step.kind === "stroke") paste(step.before, this.edit, this.width, step.rect);
    this.undone.push(step);
    return true;
  }

  redo(): boolean {
    const step = this.undone.pop();
    if (!step) return false;
    if (step.kind === "stroke") paste(step.after, this.edit, this.width, step.rect);
    this.steps.push(step);
    return true;
  }

  /**
   * Lays this draft over a label map, within `rect`.
   *
   * @param labels what is committed, with other drafts over it
   * @param locked 1 at the label of every object that may not lose pixels
   */
  compose(labels: Uint8Array, locked: Uint8Array, rect: Rect): void {
    const { object, edit, width } = this;
    const predicted = this.prediction;
    for (let y = rect.y0; y < rect.y1; y++) {
      const end = y * width + rect.x1;
      for (let i = y * width + rect.x0; i < end; i++) {
        const label = labels[i];
        const touched = edit[i];
        const inside = touched
          ? touched === PAINTED
          : predicted
            ? predicted[i] === 1
            : label === object;
        if (inside) {
          if (label === object || !locked[label]) labels[i] = object;
        } else if (label === object) labels[i] = 0;
      }
    }
  }

  private get lastPrompt(): PromptStep | undefined {
    return this.steps.findLast((step): step is PromptStep => step.kind !== "stroke");
  }

  /** The newest prediction there is: what was shown stays until the next one has arrived. */
  private get prediction(): Uint8Array | null {
    const known = this.steps.findLast(
      (step): step is PromptStep => step.kind !== "stroke" && step.predicted !== null,
    );
    return known?.predicted ?? null;
  }

  private prompt(step: Omit<PromptStep, "predicted">): void {
    this.push({ ...step, predicted: null });
  }

  private push(step: Step): void {
    this.steps.push(step);
    this.undone = [];
  }
}

function cut(source: Uint8Array, width: number, { x0, y0, x1, y1 }: Rect): Uint8Array {
  const piece = new Uint8Array((x1 - x0) * (y1 - y0));
  for (let y = y0; y < y1; y++) {
    piece.set(source.subarray(y * width + x0, y * width + x1), (y - y0) * (x1 - x0));
  }
  return piece;
}

function paste(piece: Uint8Array, target: Uint8Array, width: number, { x0, y0, x1, y1 }: Rect) {
  for (let y = y0; y < y1; y++) {
    target.set(piece.subarray((y - y0) * (x1 - x0), (y - y0 + 1) * (x1 - x0)), y * width + x0);
  }
}
