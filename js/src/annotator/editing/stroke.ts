import type { Point, Rect } from "../../masks/geometry";
import type { Draft } from "./draft";
import type { Paint } from "./layers";

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
