/**
 * A frame with what lies over it: three canvases on top of each other (picture, masks, marks)
 * that the wheel or two fingers zoom and a drag moves. It shows frames and label masks, and knows nothing of
 * what is done with them. No framework in here.
 */

import "./canvas.css";
import { isEmpty, type Point, type Rect, type Size, union } from "../masks/geometry";
import { MaskPainter, type MaskScene } from "./mask-painter";
import { Pinch } from "./pinch";
import { Viewport } from "./viewport";

/** Wheel pixels that double the scale. */
const WHEEL_DOUBLING = 300;
/** Image pixels that fill this many CSS pixels are shown as squares. */
const SQUARE_FROM = 3;

/** CSS pixels that a finger may stray and still tap. */
const TAP = 6;
/** A finger that rests so many milliseconds has said more than a tap, as on most systems. */
const REST = 500;

/** What a canvas shows, and whom it tells. */
export interface Scene {
  readonly image: Size;
  picture(): CanvasImageSource | undefined;
  readonly masks?: MaskScene;
  /** What has the focus for this picture, where it is a part of something; without it, its element. */
  readonly keys?: HTMLElement;
  /** Draws what lies over picture and masks; the context is in CSS pixels. */
  marks?(context: CanvasRenderingContext2D): void;
  /** What the pointer is for; without it, it moves the picture. */
  readonly pointer?: PointerUse;
  /** All that there is to show has reached the screen. */
  painted?(): void;
  /** The place for the picture has another size: what is to be seen of it is chosen anew. */
  resized?(): void;
  failed(error: unknown): void;
}

/** What is done with a pointer that does not move the picture; points are in image pixels. */
export interface PointerUse {
  /** Whether the main button moves the picture for now, as the middle one always does. */
  pans(): boolean;
  /** `second`: with the second button, for which a finger rests where it went down. */
  down(at: Point, event: PointerEvent, second: boolean): void;
  move(at: Point): void;
  up(at: Point): void;
  cancel(): void;
}

export class Canvas {
  readonly viewport: Viewport;
  /** Where the pointer is, in CSS pixels; null while it is elsewhere. */
  pointer: Point | null = null;
  private readonly picture: CanvasRenderingContext2D;
  private readonly masks: CanvasRenderingContext2D;
  private readonly marks: CanvasRenderingContext2D;
  private readonly painter: MaskPainter | null;
  /** Where the pointer last was while it moves the picture. */
  private panFrom: Point | null = null;
  private panned = false;
  private readonly pinch = new Pinch();
  /** The pointer at work, from its going down to its coming up. */
  private hand: PointerEvent | null = null;
  /** A finger that is down and may yet be the first of two: nothing was done with it. */
  private held: { readonly at: Point; readonly event: PointerEvent; readonly rest: number } | null =
    null;
  private frameRequest = 0;
  private readonly todo = {
    picture: false,
    /** Compose and paint: a part, or everything. */
    labels: null as Rect | null,
    /** Draw the mask canvas anew, all of it. */
    masks: false,
    marks: false,
  };

  constructor(
    readonly element: HTMLElement,
    private readonly scene: Scene,
    private readonly abort: AbortSignal,
  ) {
    element.classList.add("ev-stage");
    [this.picture, this.masks, this.marks] = ["picture", "masks", "marks"].map((name) => {
      const canvas = document.createElement("canvas");
      canvas.className = `ev-canvas ev-canvas-${name}`;
      canvas.setAttribute("aria-hidden", "true");
      element.append(canvas);
      const context = canvas.getContext("2d");
      if (!context) throw new Error("this browser has no 2D canvas; use another one.");
      return context;
    });
    this.painter = scene.masks ? new MaskPainter(scene.masks) : null;
    this.viewport = new Viewport(scene.image, () =>
      this.schedule({ picture: true, masks: true, marks: true }),
    );
    this.listen();
    const observer = new ResizeObserver(() => this.resize());
    observer.observe(element);
    this.followDensity();
    abort.addEventListener("abort", () => {
      observer.disconnect();
      cancelAnimationFrame(this.frameRequest);
      this.release();
      element.replaceChildren();
    });
  }

  /** Another frame or other committed masks: everything is composed and drawn anew. */
  showFrame(): void {
    this.schedule({ picture: true, labels: this.scene.masks?.layer.all ?? null });
  }

  /** The masks changed, within `rect` or all over. */
  showLabels(rect?: Rect): void {
    const labels = rect ?? this.scene.masks?.layer.all;
    if (labels && !isEmpty(labels)) this.schedule({ labels });
  }

  /** Something beside the shown masks changed. */
  showMarks(): void {
    this.schedule({ marks: true });
  }

  /** The whole picture. */
  fit(): void {
    this.viewport.fit();
  }

  /** Zooms about the pointer if it is over the picture, else about the middle. */
  zoom(factor: number): void {
    this.viewport.zoom(factor, this.pointer ?? this.viewport.middle);
  }

  /** Image pixels as large as screen pixels. */
  actualSize(): void {
    this.viewport.actualSize(this.pointer ?? this.viewport.middle);
  }

  focus(): void {
    this.keys.focus({ preventScroll: true });
  }

  private get keys(): HTMLElement {
    return this.scene.keys ?? this.element;
  }

  /** The pointer moves the picture no longer. */
  endPan(): void {
    this.panFrom = null;
  }

  /** Whether the picture was moved since this was last asked. */
  takePanned(): boolean {
    const { panned } = this;
    this.panned = false;
    return panned;
  }

  // Pointer

  private listen(): void {
    const on = <K extends keyof HTMLElementEventMap>(
      type: K,
      handler: (event: HTMLElementEventMap[K]) => void,
    ) => this.element.addEventListener(type, handler, { signal: this.abort, passive: false });
    on("pointerdown", (event) => this.down(event));
    on("pointermove", (event) => this.move(event));
    on("pointerup", (event) => this.up(event));
    on("pointercancel", (event) => {
      this.pinch.up(event.pointerId);
      if (this.pressed(event)) this.giveUp();
    });
    on("pointerleave", (event) => {
      if (this.isPalm(event)) return;
      this.pointer = null;
      this.showMarks();
    });
    on("contextmenu", (event) => event.preventDefault());
    on("wheel", (event) => this.wheel(event));
  }

  private down(event: PointerEvent): void {
    if (this.isPalm(event)) return;
    const at = this.position(event);
    const touch = event.pointerType === "touch";
    if (touch) this.pinch.down(event.pointerId, at);
    if (this.hand && (this.pinch.active || !touch)) this.giveUp();
    this.focus();
    event.preventDefault();
    this.element.setPointerCapture(event.pointerId);
    if (touch && this.pinch.active) return;
    this.hand = event;
    const pans = this.scene.pointer?.pans() ?? true;
    if (event.button === 1 || (event.button === 0 && pans)) this.panFrom = at;
    else if (touch) {
      this.release();
      this.held = { at, event, rest: window.setTimeout(() => this.use(at, event, true), REST) };
    } else if (event.button === 0 || event.button === 2) this.use(at, event);
  }

  /** The pointer does what it is for, from here on. */
  private use(at: Point, event: PointerEvent, second = event.button === 2): void {
    this.release();
    this.scene.pointer?.down(this.viewport.toImage(at), event, second);
    this.showMarks();
  }

  /** The finger that was waited with is one no longer. */
  private release(): void {
    window.clearTimeout(this.held?.rest);
    this.held = null;
  }

  /** What the pointer has begun is not done. */
  private giveUp(): void {
    this.hand = null;
    this.panFrom = null;
    this.release();
    this.scene.pointer?.cancel();
    this.showMarks();
  }

  private move(event: PointerEvent): void {
    if (this.isPalm(event)) return;
    this.pointer = this.position(event);
    const { held, pointer } = this;
    const step = this.pinch.move(event.pointerId, pointer);
    if (step) {
      this.panned = true;
      this.viewport.pan(step.dx, step.dy);
      this.viewport.zoom(step.factor, step.at);
    }
    this.showMarks();
    if (!this.pressed(event)) return;
    if (held && Math.hypot(pointer.x - held.at.x, pointer.y - held.at.y) > TAP) {
      this.use(held.at, held.event);
    }
    if (this.panFrom) {
      const { x, y } = this.panFrom;
      this.panFrom = pointer;
      this.panned = true;
      this.viewport.pan(pointer.x - x, pointer.y - y);
    } else if (!this.held) {
      const passed = event.getCoalescedEvents?.() ?? [];
      for (const point of passed.length > 0 ? passed : [event]) {
        this.scene.pointer?.move(this.viewport.toImage(this.position(point)));
      }
    }
  }

  private up(event: PointerEvent): void {
    this.pinch.up(event.pointerId);
    if (!this.pressed(event)) return;
    this.hand = null;
    this.element.releasePointerCapture(event.pointerId);
    if (this.held) this.use(this.held.at, this.held.event);
    if (this.panFrom) this.panFrom = null;
    else this.scene.pointer?.up(this.viewport.toImage(this.position(event)));
    this.showMarks();
  }

  /** Whether it is the pointer at work. */
  private pressed({ pointerId }: PointerEvent): boolean {
    return this.hand?.pointerId === pointerId && this.element.hasPointerCapture(pointerId);
  }

  /** Whether it is another pointer than the pen or mouse at work: the hand lies on the screen. */
  private isPalm({ pointerId }: PointerEvent): boolean {
    const { hand } = this;
    if (!hand || hand.pointerType === "touch" || hand.pointerId === pointerId) return false;
    return this.pressed(hand);
  }

  /** The wheel zooms once the picture has the focus; until then it scrolls the notebook. */
  private wheel(event: WheelEvent): void {
    const root = this.element.getRootNode() as Document | ShadowRoot;
    if (root.activeElement !== this.keys && !event.ctrlKey) return;
    event.preventDefault();
    const lines = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 20 : 1;
    const pinch = event.ctrlKey ? 4 : 1;
    const factor = 2 ** ((-event.deltaY * lines * pinch) / WHEEL_DOUBLING);
    this.viewport.zoom(factor, this.position(event));
  }

  private position(event: MouseEvent): Point {
    const { left, top } = this.element.getBoundingClientRect();
    return {
      x: event.clientX - left - this.element.clientLeft,
      y: event.clientY - top - this.element.clientTop,
    };
  }

  // Size

  /** Another screen, or the browser's zoom: the same size in other pixels. */
  private followDensity(): void {
    const query = matchMedia(`(resolution: ${window.devicePixelRatio || 1}dppx)`);
    const follow = () => {
      this.resize();
      this.followDensity();
    };
    query.addEventListener("change", follow, { once: true, signal: this.abort });
  }

  private resize(): void {
    const { clientWidth: width, clientHeight: height } = this.element;
    const density = window.devicePixelRatio || 1;
    if (width === 0 || height === 0) return;
    for (const { canvas } of [this.picture, this.masks, this.marks]) {
      canvas.width = Math.round(width * density);
      canvas.height = Math.round(height * density);
    }
    this.viewport.resize({ width, height }, density);
    this.scene.resized?.();
  }

  // Drawing

  private schedule(what: Partial<Canvas["todo"]>): void {
    const { todo } = this;
    todo.picture ||= what.picture ?? false;
    todo.masks ||= what.masks ?? false;
    todo.marks ||= what.marks ?? false;
    if (what.labels) todo.labels = union(todo.labels, what.labels);
    if (this.frameRequest === 0 && !this.abort.aborted) {
      this.frameRequest = requestAnimationFrame(() => {
        this.frameRequest = 0;
        try {
          this.draw();
        } catch (error) {
          this.scene.failed(error);
        }
      });
    }
  }

  private draw(): void {
    const { todo, painter, scene, viewport } = this;
    if (viewport.size.width === 0) return;
    if (todo.picture) this.drawPicture();
    const painted = painter?.paint(todo.labels, viewport.view) ?? null;
    if (scene.masks && (todo.masks || painted)) {
      const { canvas, all } = scene.masks.layer;
      this.drawMasks(canvas, todo.masks || !painted ? all : painted);
    }
    if (todo.marks || todo.masks || painted) this.drawMarks();
    todo.picture = todo.masks = todo.marks = false;
    todo.labels = null;
    scene.painted?.();
  }

  private transform(context: CanvasRenderingContext2D): void {
    const { scale, x, y } = this.viewport.view;
    const d = this.viewport.density;
    context.setTransform(scale * d, 0, 0, scale * d, x * d, y * d);
  }

  private drawPicture(): void {
    const context = this.picture;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, context.canvas.width, context.canvas.height);
    const picture = this.scene.picture();
    if (!picture) return;
    this.transform(context);
    context.imageSmoothingEnabled = this.viewport.view.scale < SQUARE_FROM;
    context.imageSmoothingQuality = "high";
    const { width, height } = this.scene.image;
    context.drawImage(picture, 0, 0, width, height);
  }

  private drawMasks(masks: CanvasImageSource, rect: Rect): void {
    const context = this.masks;
    const { scale, x, y } = this.viewport.view;
    const d = this.viewport.density;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.save();
    context.beginPath();
    // Whole device pixels, one more on each side: what is cleared is what is drawn again.
    const left = Math.floor((x + rect.x0 * scale) * d) - 1;
    const top = Math.floor((y + rect.y0 * scale) * d) - 1;
    const right = Math.ceil((x + rect.x1 * scale) * d) + 1;
    const bottom = Math.ceil((y + rect.y1 * scale) * d) + 1;
    context.rect(left, top, right - left, bottom - top);
    context.clip();
    context.clearRect(left, top, right - left, bottom - top);
    this.transform(context);
    context.imageSmoothingEnabled = false;
    context.drawImage(masks, 0, 0);
    context.restore();
  }

  private drawMarks(): void {
    const context = this.marks;
    const { density } = this.viewport;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, context.canvas.width, context.canvas.height);
    context.setTransform(density, 0, 0, density, 0, 0);
    this.scene.marks?.(context);
  }
}
