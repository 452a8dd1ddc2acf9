/** A small picture of a frame with one mask over it, painted as the annotator paints. */

import type { Size } from "../masks/geometry";
import { MaskLayer } from "../masks/mask-layer";
import { MaskPainter } from "../video/mask-painter";

/** As the annotator begins with. */
const STYLE = { opacity: 0.5, contour: true };

export class MaskedPicture {
  private readonly layer: MaskLayer;
  private readonly painter: MaskPainter;
  private picture: ImageBitmap | null = null;
  private color = "";

  /** @param image the size of the video, which that of pictures follows */
  constructor(
    private readonly canvas: HTMLCanvasElement,
    private readonly image: Size,
  ) {
    this.layer = new MaskLayer(image.width, image.height);
    this.painter = new MaskPainter({
      layer: this.layer,
      labels: () => [{ id: 1, color: this.color, visible: true }],
      style: () => STYLE,
    });
  }

  /** Takes the picture that is drawn from now on. */
  take(picture: ImageBitmap): void {
    this.picture?.close();
    this.picture = picture;
  }

  /**
   * @param runs of the object's mask, label 1; null: the picture alone
   * @param color of the object, #rrggbb
   */
  draw(runs: Uint32Array | null, color: string): void {
    const { canvas, layer, picture } = this;
    if (!picture) return;
    const { width, height } = picture;
    canvas.width = width;
    canvas.height = height;
    const context = canvas.getContext("2d");
    if (!context) throw new Error("this browser has no 2D canvas; use another one.");
    context.drawImage(picture, 0, 0);
    canvas.dataset.masked = String(runs !== null);
    if (!runs) return;
    this.color = color;
    layer.setCommitted(runs, null);
    this.painter.paint(layer.all, { scale: width / this.image.width, x: 0, y: 0 });
    context.drawImage(layer.canvas, 0, 0, width, height);
  }
}
