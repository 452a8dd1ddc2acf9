/**
 * The drawing surface: three canvases on top of each other (picture, masks, marks), zoom and
 * pan, and what the pointer does with the tool in hand. No framework in here.
 */

import { effect } from "@preact/signals";
import type { Point } from "./brush";
import type { Editor, Stroke } from "./editor";
import { palette } from "./label-paint";
import { drawMarks } from "./marks";
import type { MaskLayer } from "./mask-layer";
import type { Display, ObjectInfo } from "./protocol";
import { isEmpty, type Rect, union } from "./rect";
import type { Store } from "./store";
import {
  contains,
  fitView,
  keepInSight,
  pan,
  type Size,
  toImage,
  type View,
  zoomAt,
} from "./view-transform";

/** Wheel pixels that double the scale. */
const WHEEL_DOUBLING = 300;
/** CSS pixels of an outline on the screen. */
const OUTLINE = 1.6;
/** A smaller drag, in image pixels, is not a box. */
const MIN_BOX = 3;
/** Image pixels that fill this many CSS pixels are shown as squares. */
const SQUARE_FROM = 3;

export interface StageModel {
  editor: Editor;
  store: Store;
  layer: MaskLayer;
  image: Size;
  picture(): ImageBitmap | undefined;
  objects(): readonly ObjectInfo[];
  display(): Display;
  /** A picture with its masks has reached the screen. */
  painted(): void;
  failed(error: unknown): void;
}

type Gesture =
  | { kind: "stroke"; stroke: Stroke }
  | { kind: "box"; from: Point; to: Point }
  | { kind: "pan"; last: Point };

export class Stage {
  private readonly picture: CanvasRenderingContext2D;
  private readonly masks: CanvasRenderingContext2D;
  private readonly marks: CanvasRenderingContext2D;
  private size: Size = { width: 0, height: 0 };
  private density = 1;
  private view: View = { scale: 1, x: 0, y: 0 };
  private gesture: Gesture | null = null;
  private pointer: Point | null = null;
  private anchors = new Map<number, Point>();
  private thickness = 0;
  private panned = false;
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
    private readonly model: StageModel,
    private readonly abort: AbortSignal,
  ) {
    [this.picture, this.masks, this.marks] = ["picture", "masks", "marks"].map((name) => {
      const canvas = document.createElement("canvas");
      canvas.className = `ev-canvas ev-canvas-${name}`;
      canvas.setAttribute("aria-hidden", "true");
      element.append(canvas);
      const context = canvas.getContext("2d");
      if (!context) throw new Error("this browser has no 2D canvas; use another one.");
      return context;
    });
    this.listen();
    const observer = new ResizeObserver(() => this.resize());
    observer.observe(element);
    const stopMarks = effect(() => {
      model.editor.version.value;
      model.editor.tool.value;
      model.editor.object.value;
      model.store.brushSize.value;
      model.store.panning.value;
      model.store.peeking.value;
      this.schedule({ marks: true });
    });
    abort.addEventListener("abort", () => {
      observer.disconnect();
      stopMarks();
      cancelAnimationFrame(this.frameRequest);
      element.replaceChildren();
    });
  }

  /** Another frame or other committed masks: everything is composed and drawn anew. */
  showFrame(): void {
    this.schedule({ picture: true, labels: this.model.layer.all });
  }

  /** The masks changed, within `rect` or all over. */
  showLabels(rect?: Rect): void {
    if (!rect || !isEmpty(rect)) this.schedule({ labels: rect ?? this.model.layer.all });
  }

  fitPicture(): void {
    this.model.store.fitted.value = true;
    this.setView(fitView(this.model.image, this.size));
  }

  /** Zooms about the pointer if it is over the picture, else about the middle. */
  zoom(factor: number, at = this.pointer ?? this.middle): void {
    this.model.store.fitted.value = false;
    this.setView(zoomAt(this.view, at, factor, this.model.image, this.size));
  }

  /** Image pixels as large as screen pixels. */
  actualSize(): void {
    this.zoom(1 / (this.view.scale * this.density));
  }

  /** Whether a stroke or box is under the pointer. */
  get busy(): boolean {
    return this.gesture !== null && this.gesture.kind !== "pan";
  }

  /** Gives up the stroke or box under the pointer. */
  cancelGesture(): void {
    if (this.gesture?.kind === "stroke") this.gesture.stroke.cancel();
    this.gesture = null;
    this.schedule({ marks: true });
  }

  /** Whether the picture was moved since this was last asked. */
  takePanned(): boolean {
    const { panned } = this;
    this.panned = false;
    return panned;
  }

  private get middle(): Point {
    return { x: this.size.width / 2, y: this.size.height / 2 };
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
    on("pointercancel", () => this.cancelGesture());
    on("pointerleave", () => {
      this.pointer = null;
      this.schedule({ marks: true });
    });
    on("contextmenu", (event) => event.preventDefault());
    on("wheel", (event) => this.wheel(event));
  }

  private down(event: PointerEvent): void {
    if (this.gesture) return;
    this.element.focus({ preventScroll: true });
    event.preventDefault();
    this.element.setPointerCapture(event.pointerId);
    const { editor, store, image } = this.model;
    if (event.button === 1 || (event.button === 0 && store.panning.value)) {
      this.gesture = { kind: "pan", last: this.position(event) };
      return;
    }
    if (!editor.canEdit.value || (event.button !== 0 && event.button !== 2)) return;
    const at = toImage(this.view, this.position(event));
    const negative = event.button === 2 || event.altKey || event.shiftKey;
    const tool = editor.tool.value;
    if (tool === "clicks") {
      if (contains(image, at)) this.run(editor.click(at, !negative));
    } else if (tool === "box") {
      this.gesture = { kind: "box", from: at, to: at };
    } else {
      const stroke = editor.stroke(tool === "eraser" || negative);
      if (!stroke) return;
      this.gesture = { kind: "stroke", stroke };
      stroke.extend(at);
    }
  }

  private move(event: PointerEvent): void {
    this.pointer = this.position(event);
    const { gesture } = this;
    if (gesture?.kind === "pan") {
      this.model.store.fitted.value = false;
      const { x, y } = this.pointer;
      const moved = pan(
        this.view,
        x - gesture.last.x,
        y - gesture.last.y,
        this.model.image,
        this.size,
      );
      gesture.last = this.pointer;
      this.panned = true;
      this.setView(moved);
    } else if (gesture?.kind === "box") {
      gesture.to = toImage(this.view, this.pointer);
    } else if (gesture?.kind === "stroke") {
      const passed = event.getCoalescedEvents?.() ?? [];
      for (const point of passed.length > 0 ? passed : [event]) {
        gesture.stroke.extend(toImage(this.view, this.position(point)));
      }
    }
    this.schedule({ marks: true });
  }

  private up(event: PointerEvent): void {
    const { gesture } = this;
    this.gesture = null;
    if (this.element.hasPointerCapture(event.pointerId)) {
      this.element.releasePointerCapture(event.pointerId);
    }
    if (gesture?.kind === "stroke") {
      // Where the browser dropped moves on the way, the stroke still ends where it was let go.
      gesture.stroke.extend(toImage(this.view, this.position(event)));
      gesture.stroke.end();
    }
    if (gesture?.kind === "box") this.finishBox(gesture.from, gesture.to);
    this.schedule({ marks: true });
  }

  private finishBox(a: Point, b: Point): void {
    const { width, height } = this.model.image;
    const x = [a.x, b.x].map((v) => Math.min(Math.max(v, 0), width - 1)).sort((p, q) => p - q);
    const y = [a.y, b.y].map((v) => Math.min(Math.max(v, 0), height - 1)).sort((p, q) => p - q);
    if (x[1] - x[0] < MIN_BOX || y[1] - y[0] < MIN_BOX) return;
    this.run(this.model.editor.box([x[0], y[0], x[1], y[1]]));
  }

  /** The wheel zooms once the picture has the focus; until then it scrolls the notebook. */
  private wheel(event: WheelEvent): void {
    const root = this.element.getRootNode() as Document | ShadowRoot;
    if (root.activeElement !== this.element && !event.ctrlKey) return;
    event.preventDefault();
    const lines = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 20 : 1;
    const pinch = event.ctrlKey ? 4 : 1;
    const factor = 2 ** ((-event.deltaY * lines * pinch) / WHEEL_DOUBLING);
    this.zoom(factor, this.position(event));
  }

  private position(event: MouseEvent): Point {
    const { left, top } = this.element.getBoundingClientRect();
    return {
      x: event.clientX - left - this.element.clientLeft,
      y: event.clientY - top - this.element.clientTop,
    };
  }

  private run(task: Promise<void>): void {
    task.catch((error) => this.model.failed(error));
  }

  // Size and view

  private resize(): void {
    const { clientWidth: width, clientHeight: height } = this.element;
    const density = window.devicePixelRatio || 1;
    if (width === 0 || height === 0) return;
    const old = this.size;
    this.size = { width, height };
    this.density = density;
    for (const { canvas } of [this.picture, this.masks, this.marks]) {
      canvas.width = Math.round(width * density);
      canvas.height = Math.round(height * density);
    }
    if (this.model.store.fitted.value || old.width === 0) {
      this.setView(fitView(this.model.image, this.size));
    } else {
      const ratio = width / old.width;
      const { scale, x, y } = this.view;
      this.setView(
        keepInSight(
          { scale: scale * ratio, x: x * ratio, y: y * ratio },
          this.model.image,
          this.size,
        ),
      );
    }
  }

  private setView(view: View): void {
    this.view = view;
    this.schedule({ picture: true, masks: true, marks: true });
  }

  // Drawing

  private schedule(what: Partial<Stage["todo"]>): void {
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
          this.model.failed(error);
        }
      });
    }
  }

  private draw(): void {
    if (this.size.width === 0) return;
    const { todo } = this;
    const { layer } = this.model;
    if (todo.picture) this.drawPicture();
    const thickness = this.outline();
    if (thickness !== this.thickness) {
      this.thickness = thickness;
      todo.labels = layer.all;
    }
    let painted: Rect | null = null;
    if (todo.labels) {
      const { editor, store, objects, display } = this.model;
      layer.compose(editor.on(store.shown.value), editor.locked(), todo.labels);
      painted = layer.paint(
        { palette: palette(objects(), display().opacity), thickness },
        todo.labels,
      );
      if (this.gesture?.kind !== "stroke") this.anchors = layer.anchors();
    }
    if (todo.masks) this.drawMasks(layer.all);
    else if (painted) this.drawMasks(painted);
    if (todo.marks || todo.masks || painted) this.drawMarks();
    todo.picture = todo.masks = todo.marks = false;
    todo.labels = null;
    this.model.painted();
  }

  /** An outline of about `OUTLINE` CSS pixels, in image pixels. */
  private outline(): number {
    if (!this.model.display().contour) return 0;
    return Math.min(Math.max(1, Math.round(OUTLINE / this.view.scale)), 8);
  }

  private transform(context: CanvasRenderingContext2D): void {
    const { scale, x, y } = this.view;
    const d = this.density;
    context.setTransform(scale * d, 0, 0, scale * d, x * d, y * d);
  }

  private drawPicture(): void {
    const context = this.picture;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, context.canvas.width, context.canvas.height);
    const picture = this.model.picture();
    if (!picture) return;
    this.transform(context);
    context.imageSmoothingEnabled = this.view.scale < SQUARE_FROM;
    context.imageSmoothingQuality = "high";
    context.drawImage(picture, 0, 0, this.model.image.width, this.model.image.height);
  }

  private drawMasks(rect: Rect): void {
    const context = this.masks;
    const { scale, x, y } = this.view;
    const d = this.density;
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
    context.drawImage(this.model.layer.canvas, 0, 0);
    context.restore();
  }

  private drawMarks(): void {
    const { editor, store, objects } = this.model;
    const context = this.marks;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, context.canvas.width, context.canvas.height);
    if (store.peeking.value) return;
    context.setTransform(this.density, 0, 0, this.density, 0, 0);
    const tool = editor.tool.value;
    const brushing = tool === "brush" || tool === "eraser";
    const draft = editor.current.value;
    drawMarks(context, this.view, {
      tags: objects().length > 1 ? objects().filter((o) => o.visible) : [],
      anchors: this.anchors,
      clicks: draft?.clicks ?? [],
      box: this.gesture?.kind === "box" ? this.gesture : boxOf(draft?.box ?? null),
      waiting: draft?.waiting ?? false,
      cursor:
        brushing && this.pointer && editor.canEdit.value && !store.panning.value
          ? { at: this.pointer, diameter: store.brushSize.value * this.view.scale, tool }
          : null,
    });
  }
}

const boxOf = (box: [number, number, number, number] | null) =>
  box && { from: { x: box[0], y: box[1] }, to: { x: box[2], y: box[3] } };
