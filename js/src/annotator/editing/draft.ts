/**
 * Unfinished work on one object of one frame: prompts for the predictor, strokes, fills and
 * polygons that are not committed yet. Pure: no DOM, no kernel.
 *
 * What is drawn lies on top of what is predicted from the prompts, which replaces what is
 * committed: a click after a stroke therefore keeps the stroke. Every click, box, stroke, fill
 * and vertex is one step that undo takes back and redo brings again.
 */

import { strokeSegment } from "../../masks/brush";
import { isEmpty, type Point, type Rect, union, whole } from "../../masks/geometry";
import { MIN_VERTICES } from "../../masks/polygon";
import type { Box, Click, Scribble } from "../messages";
import {
  cut,
  drawLayers,
  type Layer,
  PAINTED,
  type Paint,
  type Path,
  polygonLayer,
  rectOf,
  redrawLayers,
} from "./layers";

export type DraftKind = "none" | "clicks" | "box" | "scribble" | "polygon" | "brush";

interface Prompt {
  readonly clicks: readonly Click[];
  readonly box: Box | null;
  readonly scribbles: readonly Scribble[];
  /** The prompts it was added to. */
  readonly before: Prompt | null;
  /** Binary mask predicted from all of them, once it has arrived, and what it is trusted. */
  predicted: Uint8Array | null;
  score: number | null;
  /** Pixels that the mask takes from what others are annotated with, by object id. */
  takes: Record<string, number>;
}

/** All that is drawn and said in a draft. */
export interface Work {
  readonly clicks: readonly Click[];
  readonly box: Box | null;
  readonly scribbles: readonly Scribble[];
  readonly layers: readonly Layer[];
  readonly path: Path | null;
}

interface State {
  /** The step that led here, in words. */
  readonly step: string;
  readonly prompt: Prompt | null;
  readonly layers: readonly Layer[];
  readonly path: Path | null;
}

/** Where a vertex is: in the open path (`polygon` -1) or in a closed polygon. */
export interface Handle {
  polygon: number;
  vertex: number;
}

/** Something under way that becomes one step when it ends, and none when it is given up. */
type Motion =
  | { kind: "stroke"; value: Paint; touched: Uint8Array; rect: Rect | null }
  | { kind: "vertex"; handle: Handle; from: State };

const NOTHING: State = { step: "", prompt: null, layers: [], path: null };

export class Draft {
  /** Per pixel what the layers leave there, the last one on top. */
  private readonly edit: Uint8Array;
  private states: State[] = [NOTHING];
  private position = 0;
  private motion: Motion | null = null;

  /**
   * @param start what was drawn and committed before, on what its object's mask was without it
   */
  constructor(
    readonly frame: number,
    readonly object: number,
    readonly width: number,
    readonly height: number,
    readonly start: { layers: readonly Layer[]; base: Uint8Array } | null = null,
  ) {
    this.edit = new Uint8Array(width * height);
    if (!start) return;
    this.states = [{ ...NOTHING, layers: start.layers }];
    drawLayers(this.edit, width, start.layers, rectOf(start.layers));
  }

  /** Named after what matters most in it. */
  get kind(): DraftKind {
    if (this.position === 0 && !this.motion) return "none";
    const { layers, path, prompt } = this.state;
    if (this.motion?.kind === "stroke" || layers.some((l) => !l.vertices)) return "brush";
    if (path || layers.length > 0) return "polygon";
    if (!prompt) return "none";
    if (prompt.scribbles.length > 0) return "scribble";
    return prompt.clicks.length > 0 ? "clicks" : "box";
  }

  get isEmpty(): boolean {
    return this.kind === "none";
  }

  get clicks(): readonly Click[] {
    return this.state.prompt?.clicks ?? [];
  }

  get box(): Box | null {
    return this.state.prompt?.box ?? null;
  }

  get scribbles(): readonly Scribble[] {
    return this.state.prompt?.scribbles ?? [];
  }

  get path(): Path | null {
    return this.state.path;
  }

  /** Vertices of the closed polygons, each with what it leaves. */
  get polygons(): readonly Path[] {
    return this.state.layers.flatMap(({ vertices, value }) =>
      vertices ? [{ vertices, value }] : [],
    );
  }

  /** Another value after every step. */
  get now(): object {
    return this.state;
  }

  get layers(): readonly Layer[] {
    return this.state.layers;
  }

  /** Whether it goes on from what was committed. */
  get isReopened(): boolean {
    return this.start !== null;
  }

  /** What the object's mask is without the layers; null for the committed mask. */
  get base(): Uint8Array | null {
    return this.prediction ?? this.start?.base ?? null;
  }

  /** Whether the latest prompt still waits for its prediction. */
  get waiting(): boolean {
    return this.state.prompt !== null && this.state.prompt.predicted === null;
  }

  /** The predictor's own estimate for its mask; null while none is shown as it was predicted. */
  get score(): number | null {
    const { layers, path, prompt } = this.state;
    return layers.length > 0 || path || this.motion ? null : (prompt?.score ?? null);
  }

  /** What the mask takes from other objects, by id; nothing while none is shown as it was predicted. */
  get takes(): Record<string, number> {
    return this.score === null ? {} : (this.state.prompt?.takes ?? {});
  }

  get canUndo(): boolean {
    return this.motion !== null || this.position > 0;
  }

  get canRedo(): boolean {
    return this.position < this.states.length - 1;
  }

  /** What undo takes back next. */
  get lastStep(): string {
    return this.motion?.kind ?? this.state.step;
  }

  /** Takes up work from before in one step; its prompts are to be predicted anew. */
  takeUp(work: Work): void {
    const { clicks, box, scribbles, layers, path } = work;
    const prompts = clicks.length > 0 || box !== null || scribbles.length > 0;
    const answers = { before: null, predicted: null, score: null, takes: {} };
    const prompt = prompts ? { clicks, box, scribbles, ...answers } : null;
    this.push({ step: "draft from before", prompt, layers: [...this.layers, ...layers], path });
  }

  /** Takes in what was drawn on top of it meanwhile, in one step. */
  append({ state }: Draft): void {
    const layers = [...this.layers, ...state.layers];
    const prompt = state.prompt ? joined(this.state.prompt, state.prompt) : this.state.prompt;
    this.push({ step: "drawn meanwhile", prompt, layers, path: state.path ?? this.path });
  }

  /** Whether something is under way that is not a step yet. */
  get isBusy(): boolean {
    return this.motion !== null;
  }

  addClick(click: Click): void {
    this.prompt("click", { clicks: [...this.clicks, click] });
  }

  setBox(box: Box): void {
    this.prompt("box", { box });
  }

  addScribble(scribble: Scribble): void {
    this.prompt("scribble", { scribbles: [...this.scribbles, scribble] });
  }

  /** Stores the prediction for the latest prompt; it was asked for with exactly that prompt. */
  setPrediction(
    mask: Uint8Array,
    score: number | null = null,
    takes: Record<string, number> = {},
  ): void {
    const { prompt } = this.state;
    if (prompt) Object.assign(prompt, { predicted: mask, score, takes });
  }

  /** Drops the latest prompt, which cannot be answered; what was drawn since stays. */
  dropPrompt(): void {
    const last = this.state.prompt;
    if (!last) return;
    this.states = this.states
      .slice(0, this.position + 1)
      .map((state) => (state.prompt === last ? { ...state, prompt: last.before } : state))
      .filter((state, i, all) => i === 0 || !same(state, all[i - 1]));
    this.position = this.states.length - 1;
  }

  // Strokes and fills

  beginStroke(value: Paint): void {
    this.cancel();
    const touched = new Uint8Array(this.edit.length);
    this.motion = { kind: "stroke", value, touched, rect: null };
  }

  /** Draws on from `a` to `b`; returns what changed. */
  extendStroke(a: Point, b: Point, diameter: number): Rect {
    const stroke = this.motion;
    if (stroke?.kind !== "stroke") return whole(0, 0);
    const rect = strokeSegment(this.width, this.height, a, b, diameter, (start, end) => {
      this.edit.fill(stroke.value, start, end);
      stroke.touched.fill(1, start, end);
    });
    stroke.rect = union(stroke.rect, rect);
    return rect;
  }

  endStroke(): void {
    const stroke = this.motion;
    if (stroke?.kind !== "stroke") return;
    this.motion = null;
    const { rect, value, touched } = stroke;
    if (!rect || isEmpty(rect)) return;
    this.addLayer("stroke", {
      value,
      rect,
      touched: cut(touched, this.width, rect),
      vertices: null,
    });
  }

  /** Paints or erases whole rows of pixels, given as pairs of start and end. */
  fill(value: Paint, rect: Rect, spans: readonly number[]): void {
    const touched = new Uint8Array(this.edit.length);
    for (let i = 0; i < spans.length; i += 2) touched.fill(1, spans[i], spans[i + 1]);
    this.addLayer("fill", { value, rect, touched: cut(touched, this.width, rect), vertices: null });
  }

  // Polygons

  /** Adds a vertex; the first one says whether the polygon paints or erases. */
  addVertex(at: Point, value: Paint): void {
    const path = this.path ?? { vertices: [], value };
    this.push({ step: "vertex", path: { ...path, vertices: [...path.vertices, at] } });
  }

  /** Turns the open path into a polygon. Returns what changed, null if it has no inside. */
  closePath(): Rect | null {
    const { path } = this;
    if (!path || path.vertices.length < MIN_VERTICES) return null;
    const layer = polygonLayer(this.width, this.height, path);
    this.push({ step: "polygon", path: null, layers: [...this.state.layers, layer] });
    return layer.rect;
  }

  /** Gives the open path up; undo brings it back. */
  leavePath(): void {
    if (this.path) this.push({ step: "leaving the outline", path: null });
  }

  /** Takes a vertex in hand. */
  beginMove(handle: Handle): void {
    this.cancel();
    const from = this.state;
    this.push({ step: "moved vertex" });
    this.motion = { kind: "vertex", handle, from };
  }

  /** Moves it; returns what changed. */
  move(to: Point): Rect {
    if (this.motion?.kind !== "vertex") return whole(0, 0);
    const { handle } = this.motion;
    const { state } = this;
    if (handle.polygon < 0) {
      const { path } = state;
      if (path) this.replace({ ...state, path: { ...path, vertices: moved(path.vertices) } });
      return whole(0, 0);
    }
    const index = state.layers.flatMap((l, i) => (l.vertices ? [i] : []))[handle.polygon];
    const old = state.layers[index];
    const layer = polygonLayer(this.width, this.height, {
      value: old.value,
      vertices: moved(old.vertices ?? []),
    });
    return this.replace({ ...state, layers: state.layers.with(index, layer) });

    function moved(vertices: readonly Point[]): readonly Point[] {
      return vertices.with(handle.vertex, to);
    }
  }

  endMove(): void {
    if (this.motion?.kind !== "vertex") return;
    const { from } = this.motion;
    this.motion = null;
    if (same(this.state, from)) this.states.length = this.position--;
  }

  /** Ends what is under way where it is. */
  endMotion(): void {
    this.endStroke();
    this.endMove();
  }

  // History

  /** Gives up what is under way. Returns whether there was anything. */
  cancel(): boolean {
    const { motion } = this;
    this.motion = null;
    if (motion?.kind === "stroke" && motion.rect)
      redrawLayers(this.edit, this.width, this.state.layers, motion.rect);
    if (motion?.kind === "vertex") {
      this.goTo(this.position - 1);
      this.states.length = this.position + 1;
    }
    return motion !== null;
  }

  /** Takes back what is under way, else the latest step. Returns whether there was one. */
  undo(): boolean {
    if (this.cancel()) return true;
    if (this.position === 0) return false;
    this.goTo(this.position - 1);
    return true;
  }

  redo(): boolean {
    if (!this.canRedo) return false;
    this.goTo(this.position + 1);
    return true;
  }

  /**
   * Lays this draft over a label map, within `rect`.
   *
   * @param labels what is committed, with other drafts over it
   * @param locked 1 at the label of every object that may not lose pixels
   */
  compose(labels: Uint8Array, locked: Uint8Array, rect: Rect): void {
    if (this.isEmpty) return;
    const { object, edit, width, base } = this;
    for (let y = rect.y0; y < rect.y1; y++) {
      const end = y * width + rect.x1;
      for (let i = y * width + rect.x0; i < end; i++) {
        const label = labels[i];
        const touched = edit[i];
        const inside = touched ? touched === PAINTED : base ? base[i] === 1 : label === object;
        if (inside) {
          if (label === object || !locked[label]) labels[i] = object;
        } else if (label === object) labels[i] = 0;
      }
    }
  }

  private get state(): State {
    return this.states[this.position];
  }

  /** The newest prediction there is: what was shown stays until the next one has arrived. */
  private get prediction(): Uint8Array | null {
    for (let prompt = this.state.prompt; prompt; prompt = prompt.before) {
      if (prompt.predicted) return prompt.predicted;
    }
    return null;
  }

  private prompt(step: string, added: Partial<Prompt>): void {
    const { clicks, box, scribbles } = this;
    const before = this.state.prompt;
    this.push({
      step,
      prompt: { clicks, box, scribbles, ...added, before, predicted: null, score: null, takes: {} },
    });
  }

  private addLayer(step: string, layer: Layer): void {
    this.push({ step, layers: [...this.state.layers, layer] });
  }

  private push(changes: Partial<State>): void {
    this.cancel();
    this.states.length = this.position + 1;
    this.states.push({ ...this.state, ...changes });
    this.goTo(this.position + 1);
  }

  private replace(state: State): Rect {
    const rect = this.repaint(this.state, state);
    this.states[this.position] = state;
    return rect;
  }

  private goTo(position: number): void {
    const from = this.state;
    this.position = position;
    this.repaint(from, this.state);
  }

  /** Brings `edit` from one state's layers to another's; returns where they differ. */
  private repaint(from: State, to: State): Rect {
    const kept = to.layers.findIndex((layer, i) => layer !== from.layers[i]);
    const first = kept < 0 ? to.layers.length : kept;
    const gone = rectOf(from.layers.slice(first));
    const all = union(gone, rectOf(to.layers.slice(first)));
    // What only comes on top leaves everything below as it is.
    if (isEmpty(gone)) drawLayers(this.edit, this.width, to.layers.slice(first), all);
    else redrawLayers(this.edit, this.width, to.layers, all);
    return all;
  }
}

/** Prompts that were given after others of the same mask; what all of them say is to be predicted. */
function joined(before: Prompt | null, after: Prompt): Prompt {
  if (!before) return after;
  return {
    clicks: [...before.clicks, ...after.clicks],
    box: after.box ?? before.box,
    scribbles: [...before.scribbles, ...after.scribbles],
    before,
    predicted: null,
    score: null,
    takes: {},
  };
}

const same = (a: State, b: State) =>
  a.prompt === b.prompt && a.layers === b.layers && a.path === b.path;
