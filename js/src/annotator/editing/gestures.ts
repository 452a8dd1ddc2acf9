/**
 * What the tool in hand does with points of the picture, wherever they come from: the pointer
 * presses, moves and lets go; the crosshair of the keyboard places. Pixels of the picture only;
 * no DOM.
 */

import { contains, distance, type Point, type Size } from "../../masks/geometry";
import type { Handle } from "./draft";
import type { Editor } from "./editor";
import type { Stroke } from "./stroke";

/** Points of a scribble lie at least this far apart, in image pixels. */
const SCRIBBLE_STEP = 3;
/** A second click comes within so many milliseconds of the first, as most systems have it. */
const DOUBLE_CLICK = 400;

/** What is near for the corners of outlines, in image pixels. */
export interface Reach {
  /** A press takes hold of a vertex, once it is dragged. */
  vertex: number;
  /** A click is on the first vertex, and closes the outline. */
  first: number;
  /** A press that moves farther is a drag. */
  drag: number;
  /** A second click is at the same place: far less than corners lie apart. */
  again: number;
}

/**
 * Of a pointer, whose pixels are finer or coarser than those of the picture. A finger hides what it
 * is on, and does not come down twice on the same pixel.
 */
export const reachOf = (scale: number, finger = false): Reach => ({
  vertex: (finger ? 20 : 9) / scale,
  first: (finger ? 16 : 6) / scale,
  drag: (finger ? 6 : 3) / scale,
  again: (finger ? 16 : 2) / scale,
});

/** The crosshair stands on whole pixels. */
const CROSSHAIR: Reach = { vertex: 0.75, first: 0.75, drag: 0, again: 0.75 };

export type Gesture =
  | { kind: "stroke"; stroke: Stroke }
  | { kind: "box"; from: Point; to: Point; reach: Reach }
  | { kind: "scribble"; points: Point[]; positive: boolean }
  /** A press with the polygon in hand: a new corner, or a drag of the vertex that is there. */
  | {
      kind: "corner";
      at: Point;
      negative: boolean;
      handle: Handle | null;
      reach: Reach;
      time: number;
    }
  | { kind: "vertex" };

export class Gestures {
  /** What is under way; null between two. */
  current: Gesture | null = null;
  /** The gesture was begun by the crosshair and goes on until it places again. */
  private keyed = false;
  /** Where the crosshair was used last. */
  private placed: { at: Point; negative: boolean } | null = null;
  /** The latest click with the polygon in hand. */
  private clicked: { at: Point; time: number } | null = null;

  constructor(
    private readonly editor: Editor,
    private readonly image: Size,
    private readonly failed: (error: unknown) => void,
  ) {}

  /**
   * The pointer goes down.
   *
   * @param negative the point is not the object's
   * @param time when it did, in milliseconds, however late a busy page hears of it
   */
  down(at: Point, negative: boolean, reach: Reach, time = performance.now()): void {
    if (this.current) this.cancel();
    const { editor } = this;
    switch (editor.tool.value) {
      case "clicks":
        if (contains(this.image, at)) this.run(editor.click(at, !negative));
        break;
      case "fill":
        if (contains(this.image, at)) this.run(editor.fill(at, negative));
        break;
      case "pick":
        editor.pick(at);
        break;
      case "box":
        if (editor.objects.mayEdit()) this.current = { kind: "box", from: at, to: at, reach };
        break;
      case "scribble":
        if (editor.objects.mayEdit()) {
          this.current = { kind: "scribble", points: [at], positive: !negative };
        }
        break;
      case "polygon":
        if (editor.objects.mayEdit()) {
          const handle = editor.vertexAt(at, reach.vertex);
          this.current = { kind: "corner", at, negative, handle, reach, time };
        }
        break;
      case "brush":
      case "eraser": {
        const stroke = editor.stroke(editor.tool.value === "eraser" || negative);
        if (!stroke) return;
        this.current = { kind: "stroke", stroke };
        stroke.extend(at);
      }
    }
  }

  move(at: Point): void {
    const { current: gesture } = this;
    if (gesture?.kind === "stroke") gesture.stroke.extend(at);
    if (gesture?.kind === "box") gesture.to = at;
    if (gesture?.kind === "scribble") extend(gesture.points, at);
    if (gesture?.kind === "corner" && gesture.handle) {
      if (distance(gesture.at, at) > gesture.reach.drag) this.takeVertex(gesture.handle);
    }
    if (this.current?.kind === "vertex") this.editor.moveVertex(this.within(at));
  }

  up(at: Point): void {
    if (this.current?.kind === "corner") this.move(at);
    const { current: gesture } = this;
    this.current = null;
    this.keyed = false;
    // Where the browser dropped moves on the way, the gesture still ends where it was let go.
    if (gesture?.kind === "stroke") {
      gesture.stroke.extend(at);
      gesture.stroke.end();
    }
    if (gesture?.kind === "box") this.finishBox(gesture.from, at, gesture.reach);
    if (gesture?.kind === "scribble") this.finishScribble(gesture.points, gesture.positive);
    if (gesture?.kind === "vertex") this.editor.endMove();
    if (gesture?.kind === "corner") this.corner(gesture);
  }

  /**
   * The crosshair places: a point, a dab, a new vertex. A box or scribble begins or ends, and a
   * vertex that is there is taken in hand or put down.
   */
  place(at: Point, negative: boolean): void {
    this.placed = { at, negative };
    if (this.keyed && this.current) {
      this.move(at);
      this.up(at);
      return;
    }
    this.down(at, negative, CROSSHAIR);
    if (this.current?.kind === "corner") {
      const { handle } = this.current;
      if (handle && !this.ends(handle)) this.takeVertex(handle);
    }
    const { current: gesture } = this;
    if (gesture && gesture.kind !== "stroke" && gesture.kind !== "corner") this.keyed = true;
    else this.up(at);
  }

  /** The brush goes on straight from where the crosshair was used last; a dab where it was not. */
  strokeTo(at: Point): void {
    const { at: from, negative } = this.placed ?? { at, negative: false };
    this.down(from, negative, CROSSHAIR);
    this.up(at);
    this.placed = { at, negative };
  }

  /** The crosshair moved: what it has begun goes with it. */
  follow(at: Point): void {
    if (this.keyed) this.move(at);
  }

  /** The crosshair is put away. */
  rest(): void {
    this.cancel();
    this.placed = null;
    this.clicked = null;
  }

  /** What was begun has no place any more: a stroke ends where it is, all else is given up. */
  leave(): void {
    if (this.current?.kind === "stroke") this.current.stroke.end();
    this.cancel();
  }

  /** Gives up what is under way. */
  cancel(): void {
    const { current: gesture } = this;
    this.current = null;
    this.keyed = false;
    if (gesture?.kind === "stroke") gesture.stroke.cancel();
    if (gesture?.kind === "vertex") this.editor.cancelMove();
  }

  private takeVertex(handle: Handle): void {
    this.editor.take(handle);
    this.current = { kind: "vertex" };
  }

  /** A corner, or with a second click at the same place the end of the outline. */
  private corner({ at, negative, reach, time }: Extract<Gesture, { kind: "corner" }>): void {
    const last = this.clicked;
    const soon = reach === CROSSHAIR || (last && time - last.time <= DOUBLE_CLICK);
    const again = last && soon && distance(last.at, at) <= reach.again;
    this.clicked = again ? null : { at, time };
    if (again) this.run(this.editor.finishPolygon());
    else this.run(this.editor.vertex(this.within(at), negative, reach.first));
  }

  /** Whether a vertex is the first or the last of the open outline, where it can be closed. */
  private ends({ polygon, vertex }: Handle): boolean {
    const path = this.editor.drafts.current.value?.path;
    return polygon < 0 && (vertex === 0 || vertex === (path?.vertices.length ?? 0) - 1);
  }

  private within({ x, y }: Point): Point {
    const { width, height } = this.image;
    return {
      x: Math.min(Math.max(x, -0.5), width - 0.5),
      y: Math.min(Math.max(y, -0.5), height - 0.5),
    };
  }

  /** Unless it was a mere click: what is small in the picture may be large on the screen. */
  private finishBox(a: Point, b: Point, { drag }: Reach): void {
    const { width, height } = this.image;
    const x = [a.x, b.x].map((v) => Math.min(Math.max(v, 0), width - 1)).sort((p, q) => p - q);
    const y = [a.y, b.y].map((v) => Math.min(Math.max(v, 0), height - 1)).sort((p, q) => p - q);
    if ([x, y].some(([from, to]) => to - from < drag || to === from)) return;
    this.run(this.editor.box([x[0], y[0], x[1], y[1]]));
  }

  private finishScribble(points: readonly Point[], positive: boolean): void {
    const inside = points.filter((point) => contains(this.image, point));
    if (inside.length > 0) this.run(this.editor.scribble(inside, positive));
  }

  private run(task: Promise<void>): void {
    task.catch((error) => this.failed(error));
  }
}

function extend(points: Point[], at: Point): void {
  const last = points[points.length - 1];
  if (Math.hypot(at.x - last.x, at.y - last.y) >= SCRIBBLE_STEP) points.push(at);
}
