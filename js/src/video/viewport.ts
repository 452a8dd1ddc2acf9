/** Which part of a picture is seen, and how large: fitting, zooming, moving. Pure. */

import type { Point, Size } from "../masks/geometry";
import { fitView, keepInSight, pan, toImage, toScreen, type View, zoomAt } from "./view-transform";

export class Viewport {
  view: View = { scale: 1, x: 0, y: 0 };
  /** Of the place for the picture, in CSS pixels; 0 x 0 while it is out of sight. */
  size: Size = { width: 0, height: 0 };
  /** Device pixels per CSS pixel. */
  density = 1;
  /** The picture is fitted, and stays so when the place for it changes. */
  fitted = true;

  /** @param changed called after every change of the view */
  constructor(
    readonly image: Size,
    private readonly changed: () => void,
  ) {}

  get middle(): Point {
    return { x: this.size.width / 2, y: this.size.height / 2 };
  }

  toImage(screen: Point): Point {
    return toImage(this.view, screen);
  }

  toScreen(image: Point): Point {
    return toScreen(this.view, image);
  }

  /** The whole picture. */
  fit(): void {
    this.fitted = true;
    this.set(fitView(this.image, this.size));
  }

  /** What is under `at` (screen) stays there. */
  zoom(factor: number, at: Point): void {
    this.fitted = false;
    this.set(zoomAt(this.view, at, factor, this.image, this.size));
  }

  /** Image pixels as large as screen pixels. */
  actualSize(at: Point): void {
    this.zoom(1 / (this.view.scale * this.density), at);
  }

  /** Puts a point of the picture into the middle of the place for it, `scale` times as large. */
  centre(point: Point, scale: number): void {
    const { width, height } = this.size;
    const at = { x: width / 2 - (point.x + 0.5) * scale, y: height / 2 - (point.y + 0.5) * scale };
    this.fitted = false;
    this.set(keepInSight({ scale, ...at }, this.image, this.size));
  }

  /** Moves the picture by CSS pixels. */
  pan(dx: number, dy: number): void {
    this.fitted = false;
    this.set(pan(this.view, dx, dy, this.image, this.size));
  }

  /** Moves what is seen by parts of the place's width and height. */
  look(dx: number, dy: number): void {
    this.pan(-dx * this.size.width, -dy * this.size.height);
  }

  /**
   * Moves the picture just so far that a point of it is in sight.
   *
   * @param margin CSS pixels around the point that shall be seen too
   */
  reveal(point: Point, margin: number): void {
    const { x, y } = this.toScreen(point);
    const { width, height } = this.size;
    const shift = (v: number, room: number) =>
      Math.max(0, margin - v) - Math.max(0, v - (room - margin));
    const [dx, dy] = [shift(x, width), shift(y, height)];
    if (this.fitted || (dx === 0 && dy === 0)) return;
    this.set(pan(this.view, dx, dy, this.image, this.size));
  }

  /** The place for the picture has another size: what is seen stays, larger or smaller. */
  resize(size: Size, density: number): void {
    const old = this.size;
    this.size = size;
    this.density = density;
    if (this.fitted || old.width === 0) {
      this.set(fitView(this.image, size));
      return;
    }
    const ratio = size.width / old.width;
    const { scale, x, y } = this.view;
    const grown = { scale: scale * ratio, x: x * ratio, y: y * ratio };
    this.set(keepInSight(grown, this.image, size));
  }

  private set(view: View): void {
    this.view = view;
    this.changed();
  }
}
