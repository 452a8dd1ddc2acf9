/** The whole frame and an enlarged part of it, with a mark at the pixel in question. */

import type { Point, Size } from "../masks/geometry";
import type { Loop } from "../masks/outlines";
import { Canvas } from "../video/canvas";
import { drawOnion } from "../video/onion";
import { drawPixelMarker } from "../video/pixel-marker";
import type { Viewport } from "../video/viewport";

/** Length of the marker's arms in CSS pixels: in the enlarged part, and in the whole frame. */
const SHORT = 10;
const LONG = 18;
/** Around an object that is shown enlarged, this part of its size stays free. */
const AROUND = 0.4;

/** What there is to see. */
export interface Sight {
  readonly image: Size;
  /** Nothing before it has come, and while there is nothing to see. */
  picture(): ImageBitmap | undefined;
  /** The pixel in question. */
  pixel(): Point | null;
  /** In its place, where the object is. */
  localisation(): { outline: readonly Loop[]; color: string } | null;
  /** Image pixels across the enlarged part. */
  crop(): number;
  painted(): void;
  failed(error: unknown): void;
}

export class Panes {
  private readonly crop: Canvas;
  private readonly whole: Canvas;
  /** What the whole frame was last drawn from. */
  private drawn: ImageBitmap | undefined;

  constructor(
    crop: HTMLElement,
    whole: HTMLElement,
    private readonly sight: Sight,
    abort: AbortSignal,
  ) {
    const { image } = sight;
    const scene = {
      image,
      picture: () => sight.picture(),
      failed: (error: unknown) => sight.failed(error),
    };
    this.crop = new Canvas(
      crop,
      {
        ...scene,
        keys: whole,
        marks: (context) => this.mark(context, this.crop.viewport, SHORT),
        resized: () => this.look(),
        painted: () => {
          sight.painted();
          this.whole.showMarks();
        },
      },
      abort,
    );
    this.whole = new Canvas(
      whole,
      {
        ...scene,
        marks: (context) => {
          this.outlineCrop(context);
          this.mark(context, this.whole.viewport, LONG);
        },
      },
      abort,
    );
  }

  /** Another point, or another picture. */
  show(): void {
    const picture = this.sight.picture();
    this.look();
    // The whole frame first: when the enlarged part is painted, all is.
    if (picture !== this.drawn) this.whole.showFrame();
    this.drawn = picture;
    this.whole.showMarks();
    this.crop.showFrame();
    this.crop.showMarks();
  }

  focus(): void {
    this.whole.focus();
  }

  /** Puts the pixel in question, or the object, into the middle of the enlarged part. */
  private look(): void {
    const { sight } = this;
    const { viewport } = this.crop;
    const { width, height } = viewport.size;
    if (width === 0 || height === 0) return;
    const pixel = sight.pixel();
    const localisation = sight.localisation();
    if (pixel) viewport.centre(pixel, Math.min(width, height) / sight.crop());
    else if (localisation) {
      const { middle, size } = extent(localisation.outline, sight.image);
      const scale = Math.min(width / size.width, height / size.height) / (1 + AROUND);
      viewport.centre(middle, scale);
    }
  }

  private mark(context: CanvasRenderingContext2D, viewport: Viewport, arm: number): void {
    const { sight } = this;
    if (!sight.picture()) return;
    const pixel = sight.pixel();
    const localisation = sight.localisation();
    if (pixel) drawPixelMarker(context, viewport.view, pixel, arm);
    else if (localisation) {
      const { outline, color } = localisation;
      drawOnion(
        context,
        viewport.view,
        new Map([[1, outline]]),
        [{ id: 1, color, visible: true }],
        [],
      );
    }
  }

  /** Where the enlarged part lies in the whole frame. */
  private outlineCrop(context: CanvasRenderingContext2D): void {
    const { sight } = this;
    if (!sight.picture() || !sight.pixel()) return;
    const { size } = this.crop.viewport;
    const corner = (at: Point) => this.whole.viewport.toScreen(this.crop.viewport.toImage(at));
    const from = corner({ x: 0, y: 0 });
    const to = corner({ x: size.width, y: size.height });
    context.save();
    for (const [width, style] of [
      [3, "rgba(0, 0, 0, 0.5)"],
      [1, "rgba(255, 255, 255, 0.85)"],
    ] as const) {
      context.lineWidth = width;
      context.strokeStyle = style;
      context.strokeRect(from.x, from.y, to.x - from.x, to.y - from.y);
    }
    context.restore();
  }
}

/** Where an outline is, and how large; the whole picture where there is none. */
function extent(outline: readonly Loop[], image: Size): { middle: Point; size: Size } {
  const { width, height } = image;
  if (outline.length === 0) return { middle: { x: width / 2, y: height / 2 }, size: image };
  let [left, top, right, bottom] = [width, height, 0, 0];
  for (const loop of outline) {
    for (let i = 0; i < loop.length; i += 2) {
      left = Math.min(left, loop[i]);
      right = Math.max(right, loop[i]);
      top = Math.min(top, loop[i + 1]);
      bottom = Math.max(bottom, loop[i + 1]);
    }
  }
  return {
    middle: { x: (left + right) / 2, y: (top + bottom) / 2 },
    size: { width: right - left, height: bottom - top },
  };
}
