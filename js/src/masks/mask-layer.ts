/**
 * The masks of the frame on the screen: the label map in image pixels is the truth, the canvas
 * is its picture. Only what changed is composed and painted again.
 */

import { grow, type Point, type Rect, whole } from "./geometry";
import { anchors, type Palette, paintDifference, paintLabels } from "./label-paint";
import { decodeRuns } from "./runs";

/** Something that lies over the masks and is not committed yet. */
export interface Overlay {
  readonly isEmpty: boolean;
  /** Writes what it is into `rect` of a label map; pixels of labels that are `locked` stay. */
  compose(labels: Uint8Array, locked: Uint8Array, rect: Rect): void;
}

export interface MaskStyle {
  palette: Palette;
  /** Outline in image pixels; 0 for none. */
  thickness: number;
  /** Hatch what changed since the mask before, with lines of this many image pixels; 0 for not. */
  hatching: number;
  /** Show the mask before instead. */
  before: boolean;
}

export class MaskLayer {
  readonly canvas: OffscreenCanvas;
  /** Committed masks with the overlays on them. */
  readonly labels: Uint8Array;
  private readonly committed: Uint8Array;
  private replacedRuns: Uint32Array | null = null;
  private replaced: Uint8Array | null = null;
  private overlaid = false;
  private anchored: Map<number, Point> | null = null;
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

  /**
   * Takes the committed masks of a frame; without any, the frame is empty.
   *
   * @param replaced the masks those took the place of, where they are known
   */
  setCommitted(runs: Uint32Array | null, replaced: Uint32Array | null): void {
    if (runs) decodeRuns(runs, this.committed);
    else this.committed.fill(0);
    if (replaced !== this.replacedRuns) this.replaced = null;
    this.replacedRuns = replaced;
  }

  /** The mask to compare with: what a draft starts from, else what the last change replaced. */
  get before(): Uint8Array | null {
    if (this.overlaid) return this.committed;
    if (this.replacedRuns) {
      this.replaced ??= decodeRuns(this.replacedRuns, new Uint8Array(this.committed.length));
    }
    return this.replaced;
  }

  /**
   * Lays the overlays over the committed masks, within `rect`.
   *
   * @param locked 1 at the labels that no overlay may touch
   */
  compose(overlays: readonly Overlay[], locked: Uint8Array, rect: Rect = this.all): void {
    for (let y = rect.y0; y < rect.y1; y++) {
      const start = y * this.width + rect.x0;
      this.labels.set(this.committed.subarray(start, y * this.width + rect.x1), start);
    }
    this.anchored = null;
    this.overlaid = overlays.some((overlay) => !overlay.isEmpty);
    for (const overlay of overlays) overlay.compose(this.labels, locked, rect);
  }

  /** Paints `rect`, and as much around it as its outlines can reach; returns what was painted. */
  paint({ palette, thickness, hatching, before }: MaskStyle, rect: Rect = this.all): Rect {
    const { width, height } = this;
    const dirty = grow(rect, thickness, width, height);
    const earlier = before || hatching > 0 ? this.before : null;
    const shown = before && earlier ? earlier : this.labels;
    paintLabels(shown, width, height, this.pixels, palette, thickness, dirty);
    if (hatching > 0 && earlier && !before) {
      paintDifference(this.labels, earlier, width, this.pixels, hatching, dirty);
    }
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

  /** By label, the place for its tag. */
  anchors(): ReadonlyMap<number, Point> {
    this.anchored ??= anchors(this.labels, this.width);
    return this.anchored;
  }
}
