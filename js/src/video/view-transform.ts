/**
 * Where the picture lies on the screen. Pure.
 *
 * Pixel centres are at integers, as the kernel counts: the picture spans `[-0.5, W - 0.5)`.
 * Screen positions are CSS pixels from the top left corner of the stage.
 */

import type { Point, Size } from "../masks/geometry";

export interface View {
  /** CSS pixels per image pixel. */
  scale: number;
  /** Screen position of the picture's top left corner. */
  x: number;
  y: number;
}

/** Screen pixels per image pixel beyond which nothing more can be seen. */
const MAX_SCALE = 40;
/** The picture may be shrunk to this part of what fits. */
const MIN_PART_OF_FIT = 0.5;

/** The whole picture, centred. */
export function fitView(image: Size, stage: Size): View {
  const scale = Math.min(stage.width / image.width, stage.height / image.height);
  return {
    scale,
    x: (stage.width - image.width * scale) / 2,
    y: (stage.height - image.height * scale) / 2,
  };
}

export const toImage = (view: View, screen: Point): Point => ({
  x: (screen.x - view.x) / view.scale - 0.5,
  y: (screen.y - view.y) / view.scale - 0.5,
});

export const toScreen = (view: View, image: Point): Point => ({
  x: (image.x + 0.5) * view.scale + view.x,
  y: (image.y + 0.5) * view.scale + view.y,
});

/** Zooms by `factor`; what is under `at` (screen) stays there. */
export function zoomAt(view: View, at: Point, factor: number, image: Size, stage: Size): View {
  const fitted = fitView(image, stage).scale;
  const scale = Math.min(
    Math.max(view.scale * factor, fitted * MIN_PART_OF_FIT),
    Math.max(MAX_SCALE, fitted),
  );
  const ratio = scale / view.scale;
  return keepInSight(
    { scale, x: at.x - (at.x - view.x) * ratio, y: at.y - (at.y - view.y) * ratio },
    image,
    stage,
  );
}

export const pan = (view: View, dx: number, dy: number, image: Size, stage: Size): View =>
  keepInSight({ ...view, x: view.x + dx, y: view.y + dy }, image, stage);

/** The stage's centre always shows a part of the picture, so it cannot be lost. */
export function keepInSight(view: View, image: Size, stage: Size): View {
  const clamp = (offset: number, picture: number, room: number) =>
    Math.min(Math.max(offset, room / 2 - picture), room / 2);
  return {
    scale: view.scale,
    x: clamp(view.x, image.width * view.scale, stage.width),
    y: clamp(view.y, image.height * view.scale, stage.height),
  };
}
