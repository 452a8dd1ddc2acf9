/**
 * What the tool in hand does with points of the picture, wherever they come from: the pointer
 * presses, moves and lets go; the crosshair of the keyboard places. Pixels of the picture only;
 * no DOM.
 */

import { contains, type Point, type Size } from "../../masks/geometry";
import type { Handle } from "./draft";
import type { Editor } from "./editor";
import type { Stroke } from "./stroke";

/** A smaller drag, in image pixels, is not a box. */
const MIN_BOX = 3;
/** Points of a scribble lie at least this far apart, in image pixels. */
const SCRIBBLE_STEP = 3;
/** The crosshair stands on whole pixels: this near is the same place. */
const SAME_PLACE = 0.75;

export type Gesture =
  | { kind: "stroke"; stroke: Stroke }
  | { kind: "box"; from: Point; to: Point }
  | { kind: "scribble"; points: Point[]; positive: boolean }
  | { kind: "vertex"; handle: Handle; moved: boolean };

export class Gestures {
  /** What is under way; null between two. */
  current: Gesture | null = null;
  /** The gesture was begun by the crosshair and goes on until it places again. */
  private keyed = false;
  /** Where the crosshair was used last. */
  private placed: { at: Point; negative: boolean } | null = null;

  constructor(
    private readonly editor: Editor,
    private readonly image: Size,
    private readonly failed: (error: unknown) => void,
  ) {}

  /**
   * The pointer goes down.
   *
   * @param negative the point is not the object's
   * @param reach image pixels within which a vertex is taken hold of
   */
  down(at: Point, negative: boolean, reach: number): void {
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
        if (editor.objects.mayEdit()) this.current = { kind: "box", from: at, to: at };
        break;
      case "scribble":
        if (editor.objects.mayEdit()) {
          this.current = { kind: "scribble", points: [at], positive: !negative };
        }
        break;
      case "polygon":
        this.current = this.takeVertex(at, reach);
        if (!this.current) this.run(editor.vertex(this.within(at), negative, reach));
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
    if (gesture?.kind === "vertex") {
      gesture.moved = true;
      this.editor.moveVertex(this.within(at));
    }
  }

  up(at: Point): void {
    const { current: gesture } = this;
    this.current = null;
    this.keyed = false;
    // Where the browser dropped moves on the way, the gesture still ends where it was let go.
    if (gesture?.kind === "stroke") {
      gesture.stroke.extend(at);
      gesture.stroke.end();
    }
    if (gesture?.kind === "box") this.finishBox(gesture.from, at);
    if (gesture?.kind === "scribble") this.finishScribble(gesture.points, gesture.positive);
    if (gesture?.kind === "vertex") {
      this.editor.endMove();
      if (!gesture.moved && this.closes(gesture.handle)) this.editor.closePolygon();
    }
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
    this.down(at, negative, SAME_PLACE);
    const { current: gesture } = this;
    const lasts =
      gesture?.kind === "vertex" ? !this.closes(gesture.handle) : gesture?.kind !== "stroke";
    if (gesture && lasts) this.keyed = true;
    else this.up(at);
  }

  /** The brush goes on straight from where the crosshair was used last; a dab where it was not. */
  strokeTo(at: Point): void {
    const { at: from, negative } = this.placed ?? { at, negative: false };
    this.down(from, negative, SAME_PLACE);
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
  }

  /** Gives up what is under way. */
  cancel(): void {
    const { current: gesture } = this;
    this.current = null;
    this.keyed = false;
    if (gesture?.kind === "stroke") gesture.stroke.cancel();
    if (gesture?.kind === "vertex") this.editor.cancelMove();
  }

  private takeVertex(at: Point, reach: number): Gesture | null {
    const handle = this.editor.grab(at, reach);
    return handle && { kind: "vertex", handle, moved: false };
  }

  /** The first vertex of an open outline closes it, and so does its last, pressed twice. */
  private closes({ polygon, vertex }: Handle): boolean {
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

  private finishBox(a: Point, b: Point): void {
    const { width, height } = this.image;
    const x = [a.x, b.x].map((v) => Math.min(Math.max(v, 0), width - 1)).sort((p, q) => p - q);
    const y = [a.y, b.y].map((v) => Math.min(Math.max(v, 0), height - 1)).sort((p, q) => p - q);
    if (x[1] - x[0] < MIN_BOX || y[1] - y[0] < MIN_BOX) return;
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
