/**
 * The masks of the frame on the screen: the label map in image pixels is the truth, the canvas
 * is its picture. Only what changed is composed and painted again.
 */

import type { Point } from "./brush";
import type { Draft } from "./draft";
import { anchors, type Palette, paintLabels } from "./label-paint";
import { grow, type Rect, whole } from "./rect";
import { decodeRuns } from "./runs";

export interface MaskStyle {
  palette: Palette;
  /** Outline in image pixels; 0 for none. */
  thickness: number;
}

export class MaskLayer {
  readonly canvas: OffscreenCanvas;
  /** Committed masks with the drafts over them. */
  readonly labels: Uint8Array;
  private readonly committed: Uint8Array;
  private readonly context: OffscreenCanvasRenderingContext2D;
  private readonly image: ImageData;
  private readonly pixels: Uint32Array;

  constructor(
    readonly width: number,
    readonly height: number,
  ) {
    this.canvas = new OffscreenCanvas(width, height);
    const context = this.canvas.getContext("2d");
    if (!context) throw new Error("this browser has no 2D canvas; use another one.");
    this.context = context;
    this.image = context.createImageData(width, height);
    this.pixels = new Uint32Array(this.image.data.buffer);
    this.labels = new Uint8Array(width * height);
    this.committed = new Uint8Array(width * height);
  }

  get all(): Rect {
    return whole(this.width, this.height);
  }

  /** Takes the committed masks of a frame; without any, the frame is empty. */
  setCommitted(runs: Uint32Array | null): void {
    if (runs) decodeRuns(runs, this.committed);
    else this.committed.fill(0);
  }

  compose(drafts: readonly Draft[], locked: Uint8Array, rect: Rect = this.all): void {
    for (let y = rect.y0; y < rect.y1; y++) {
      const start = y * this.width + rect.x0;
      this.labels.set(this.committed.subarray(start, y * this.width + rect.x1), start);
    }
    for (const draft of drafts) draft.compose(this.labels, locked, rect);
  }

  /** The committed masks with some drafts over them. */
  committedWith(drafts: readonly Draft[], locked: Uint8Array): Uint8Array {
    const labels = this.committed.slice();
    for (const draft of drafts) draft.compose(labels, locked, this.all);
    return labels;
  }

  /** Paints `rect`, and as much around it as its outlines can reach; returns what was painted. */
  paint({ palette, thickness }: MaskStyle, rect: Rect = this.all): Rect {
    const { width, height } = this;
    const dirty = grow(rect, thickness, width, height);
    paintLabels(this.labels, width, height, this.pixels, palette, thickness, dirty);
    this.context.putImageData(
      this.image,
      0,
      0,
      dirty.x0,
      dirty.y0,
      dirty.x1 - dirty.x0,
      dirty.y1 - dirty.y0,
    );
    return dirty;
  }

  anchors(): Map<number, Point> {
    return anchors(this.labels, this.width);
  }
}
