/** Paints label masks as the zoom needs them: outlines and hatches keep their width on the screen. */

import { type Rect, union } from "../masks/geometry";
import { type LabelLook, palette } from "../masks/label-paint";
import type { MaskLayer, Overlay } from "../masks/mask-layer";
import type { View } from "./view-transform";

/** CSS pixels of an outline on the screen. */
const OUTLINE = 1.6;
/** Image pixels of the thickest outline. */
const THICKEST = 8;
/** CSS pixels between the hatches of a difference. */
const HATCHING = 8;

const NO_LABELS = new Uint8Array(256);

/** Masks over a picture. */
export interface MaskScene {
  readonly layer: MaskLayer;
  labels(): readonly LabelLook[];
  style(): {
    /** 0 to 1. */
    opacity: number;
    contour: boolean;
    /** Hatch what changed since the mask before. */
    difference?: boolean;
    /** Show the mask before instead. */
    before?: boolean;
  };
  /** What lies over the masks and is not committed. */
  overlays?(): readonly Overlay[];
  /** 1 at the labels that no overlay may touch. */
  locked?(): Uint8Array;
}

export class MaskPainter {
  private thickness = 0;
  private hatching = 0;
  private overlaid = false;

  constructor(private readonly scene: MaskScene) {}

  /**
   * Composes and paints what changed, and all of it where the zoom asks for other lines.
   *
   * @param dirty part of the label map that changed
   * @returns what was painted anew
   */
  paint(dirty: Rect | null, { scale }: View): Rect | null {
    const { layer } = this.scene;
    const { opacity, contour, difference = false, before = false } = this.scene.style();
    const thickness = contour ? Math.min(Math.max(1, Math.round(OUTLINE / scale)), THICKEST) : 0;
    const hatching = difference ? Math.max(2, Math.round(HATCHING / scale)) : 0;
    const overlays = this.scene.overlays?.() ?? [];
    const overlaid = overlays.some((overlay) => !overlay.isEmpty);
    const otherLines = thickness !== this.thickness || hatching !== this.hatching;
    // A first stroke changes what the whole mask is compared with.
    const otherBefore = difference && overlaid !== this.overlaid;
    const rect = otherLines || otherBefore ? union(dirty, layer.all) : dirty;
    Object.assign(this, { thickness, hatching, overlaid });
    if (!rect) return null;
    layer.compose(overlays, this.scene.locked?.() ?? NO_LABELS, rect);
    const colours = palette(this.scene.labels(), opacity);
    return layer.paint({ palette: colours, thickness, hatching, before }, rect);
  }
}
