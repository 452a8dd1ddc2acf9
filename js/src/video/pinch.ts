/** Two fingers on the picture: they move it, and zoom by how far they are apart. Pure. */

import type { Point } from "../masks/geometry";

/** What the fingers did since the step before, in the unit of the points they were told in. */
export interface PinchStep {
  readonly dx: number;
  readonly dy: number;
  readonly factor: number;
  /** The middle between the fingers, which stays where it is. */
  readonly at: Point;
}

export class Pinch {
  private readonly fingers = new Map<number, Point>();
  private under = false;

  /** Whether two fingers went down together, and are not all up again. */
  get active(): boolean {
    return this.under;
  }

  /** A finger goes down; further ones than two are not followed. */
  down(finger: number, at: Point): void {
    if (this.fingers.size < 2) this.fingers.set(finger, at);
    this.under ||= this.fingers.size === 2;
  }

  /** A finger moved; null where it is alone. */
  move(finger: number, at: Point): PinchStep | null {
    if (!this.fingers.has(finger)) return null;
    const before = this.spread();
    this.fingers.set(finger, at);
    const after = this.spread();
    if (!before || !after) return null;
    return {
      dx: after.middle.x - before.middle.x,
      dy: after.middle.y - before.middle.y,
      factor: Math.max(after.apart, 1) / Math.max(before.apart, 1),
      at: after.middle,
    };
  }

  /** A finger is up, or taken away by the browser. */
  up(finger: number): void {
    this.fingers.delete(finger);
    if (this.fingers.size === 0) this.under = false;
  }

  private spread(): { middle: Point; apart: number } | null {
    const [a, b] = this.fingers.values();
    if (!a || !b) return null;
    return {
      middle: { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 },
      apart: Math.hypot(a.x - b.x, a.y - b.y),
    };
  }
}
