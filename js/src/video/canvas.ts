/**
 * The drawing surface: three canvases on top of each other (picture, masks, marks), zoom and
 * pan, and where on the picture pointer and crosshair are. No framework in here.
 */

import { effect } from "@preact/signals";
import { onPixel } from "../annotator/editing/crosshair";
import type { Editor } from "../annotator/editing/editor";
import { type Gesture, Hand } from "../annotator/editing/gestures";
import { drawMarks } from "../annotator/editing/marks";
import type { Store } from "../annotator/store";
import type { Point } from "../masks/brush";
import { palette } from "../masks/label-paint";
import type { MaskLayer } from "../masks/mask-layer";
import type { Outlines } from "../masks/outlines";
import { isEmpty, type Rect, union } from "../masks/rect";
import type { Display, ObjectInfo, Scribble } from "../wire/protocol";
import { AFTER, BEFORE, drawOnion } from "./onion";
import {
  fitView,
  keepInSight,
  pan,
  type Size,
  toImage,
  toScreen,
  type View,
  zoomAt,
} from "./view-transform";

/** Wheel pixels that double the scale. */
const WHEEL_DOUBLING = 300;
/** CSS pixels of an outline on the screen. */
const OUTLINE = 1.6;
/** CSS pixels from a vertex within which the pointer takes hold of it. */
const REACH = 9;
/** CSS pixels between the hatches of a difference. */
const HATCHING = 8;
/** CSS pixels around the crosshair that stay in sight. */
const MARGIN = 24;
/** Image pixels that fill this many CSS pixels are shown as squares. */
const SQUARE_FROM = 3;

/** What the crosshair has begun; using the tool again ends it. */
const HELD: Partial<Record<Gesture["kind"], string>> = {
  box: "Box begun; use the tool at the other corner",
  scribble: "Scribble begun; use the tool at its end",
  vertex: "Vertex in hand; use the tool where it belongs",
};

export interface StageModel {
  editor: Editor;
  store: Store;
  layer: MaskLayer;
  image: Size;
  picture(): ImageBitmap | undefined;
  objects(): readonly ObjectInfo[];
  /** Outlines of another frame's masks, for the onion skin. */
  outlines(frame: number): Outlines | null;
  display(): Display;
  /** A picture with its masks has reached the screen. */
  painted(): void;
  failed(error: unknown): void;
}

export class Stage {
  private readonly picture: CanvasRenderingContext2D;
  private readonly masks: CanvasRenderingContext2D;
  private readonly marks: CanvasRenderingContext2D;
  private size: Size = { width: 0, height: 0 };
  private density = 1;
  private view: View = { scale: 1, x: 0, y: 0 };
  private readonly hand: Hand;
  /** Where the pointer last was while it moves the picture. */
  private panFrom: Point | null = null;
  private drafted = false;
  private pointer: Point | null = null;
  private anchors = new Map<number, Point>();
  private thickness = 0;
  private hatching = 0;
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
    this.hand = new Hand(model.editor, model.image, (error) => model.failed(error));
    this.listen();
    const observer = new ResizeObserver(() => this.resize());
    observer.observe(element);
    this.followDensity();
    const stopMarks = effect(() => {
      model.editor.version.value;
      model.editor.tool.value;
      model.editor.object.value;
      model.editor.brushes.value;
      model.store.brushSize.value;
      model.store.panning.value;
      model.store.peeking.value;
      model.store.crosshair.value;
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

  /** Something beside the shown masks changed. */
  showMarks(): void {
    this.schedule({ marks: true });
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

  /** Moves what is seen by parts of the stage's width and height. */
  look(dx: number, dy: number): void {
    const { width, height } = this.size;
    this.model.store.fitted.value = false;
    this.setView(pan(this.view, -dx * width, -dy * height, this.model.image, this.size));
  }

  /** Image pixels as large as screen pixels. */
  actualSize(): void {
    this.zoom(1 / (this.view.scale * this.density));
  }

  /** Whether something is under way that is not a step yet. */
  get busy(): boolean {
    return this.hand.gesture !== null;
  }

  /** Gives up what is under way. */
  cancelGesture(): void {
    this.hand.cancel();
    this.panFrom = null;
    this.schedule({ marks: true });
  }

  // Crosshair

  /** Shows the crosshair, where the pointer is or in the middle of what is seen, or puts it away. */
  toggleCrosshair(): void {
    const { store, image } = this.model;
    const start = onPixel(toImage(this.view, this.pointer ?? this.middle), image);
    this.moveCrosshair(store.crosshair.value ? null : start);
    this.element.focus({ preventScroll: true });
  }

  moveCrosshair(to: Point | null): void {
    this.model.store.crosshair.value = to;
    if (to) {
      this.hand.follow(to);
      this.reveal(to);
    } else this.hand.rest();
  }

  /** Uses the tool where the crosshair stands. */
  place(negative: boolean): void {
    const at = this.model.store.crosshair.value;
    if (at) this.hand.place(at, negative);
    // What a pointer would hold down is told: the arrows move it now.
    const begun = this.hand.gesture && HELD[this.hand.gesture.kind];
    if (begun) this.model.store.announcement.value = begun;
    this.schedule({ marks: true });
  }

  /** Brushes from where the crosshair was used last to where it stands. */
  strokeToCrosshair(): void {
    const at = this.model.store.crosshair.value;
    if (at) this.hand.strokeTo(at);
  }

  /** Takes the object under the crosshair or the pointer in hand. */
  pick(): void {
    const pointed = this.pointer && toImage(this.view, this.pointer);
    const at = this.model.store.crosshair.value ?? pointed;
    if (at) this.model.editor.pick(at);
  }

  /** Moves the picture just so far that a point of it is in sight. */
  private reveal(point: Point): void {
    const { x, y } = toScreen(this.view, point);
    const { width, height } = this.size;
    const shift = (v: number, room: number) =>
      Math.max(0, MARGIN - v) - Math.max(0, v - (room - MARGIN));
    const [dx, dy] = [shift(x, width), shift(y, height)];
    if (this.model.store.fitted.value || (dx === 0 && dy === 0)) return;
    this.setView(pan(this.view, dx, dy, this.model.image, this.size));
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
    if (this.panFrom) return;
    this.element.focus({ preventScroll: true });
    event.preventDefault();
    this.element.setPointerCapture(event.pointerId);
    const { editor, store } = this.model;
    const screen = this.position(event);
    if (event.button === 1 || (event.button === 0 && store.panning.value)) {
      this.panFrom = screen;
      return;
    }
    if (event.button !== 0 && event.button !== 2) return;
    const at = toImage(this.view, screen);
    if (event.altKey) editor.pick(at);
    else this.hand.down(at, event.button === 2 || event.shiftKey, REACH / this.view.scale);
    this.schedule({ marks: true });
  }

  private move(event: PointerEvent): void {
    this.pointer = this.position(event);
    if (this.panFrom) {
      this.model.store.fitted.value = false;
      const { x, y } = this.pointer;
      const { image } = this.model;
      const moved = pan(this.view, x - this.panFrom.x, y - this.panFrom.y, image, this.size);
      this.panFrom = this.pointer;
      this.panned = true;
      this.setView(moved);
    } else if (this.pressed(event)) {
      const passed = event.getCoalescedEvents?.() ?? [];
      for (const point of passed.length > 0 ? passed : [event]) {
        this.hand.move(toImage(this.view, this.position(point)));
      }
    }
    this.schedule({ marks: true });
  }

  private up(event: PointerEvent): void {
    const pressed = this.pressed(event);
    if (pressed) this.element.releasePointerCapture(event.pointerId);
    if (this.panFrom) this.panFrom = null;
    else if (pressed) this.hand.up(toImage(this.view, this.position(event)));
    this.schedule({ marks: true });
  }

  /** Whether the pointer went down here; what the crosshair has begun is not the pointer's. */
  private pressed(event: PointerEvent): boolean {
    return this.element.hasPointerCapture(event.pointerId);
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

  // Size and view

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
    const { editor, store, objects, display } = this.model;
    const { opacity, difference } = display();
    const hatching = difference ? Math.max(2, Math.round(HATCHING / this.view.scale)) : 0;
    if (thickness !== this.thickness || hatching !== this.hatching) {
      this.thickness = thickness;
      this.hatching = hatching;
      todo.labels = layer.all;
    }
    const drafts = editor.on(store.shown.value);
    const drafted = drafts.some((draft) => !draft.isEmpty);
    // A first stroke changes what the whole mask is compared with.
    if (difference && drafted !== this.drafted) todo.labels = layer.all;
    this.drafted = drafted;
    let painted: Rect | null = null;
    if (todo.labels) {
      layer.compose(drafts, editor.locked(), todo.labels);
      painted = layer.paint(
        {
          palette: palette(objects(), opacity),
          thickness,
          hatching,
          before: store.comparing.value,
        },
        todo.labels,
      );
      if (this.hand.gesture?.kind !== "stroke") this.anchors = layer.anchors();
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
    const { editor, store, objects, display } = this.model;
    const context = this.marks;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, context.canvas.width, context.canvas.height);
    if (store.peeking.value) return;
    context.setTransform(this.density, 0, 0, this.density, 0, 0);
    const shown = objects().filter((object) => object.visible);
    if (display().onion) {
      for (const [frame, dash] of [
        [store.shown.value - 1, BEFORE],
        [store.shown.value + 1, AFTER],
      ] as const) {
        drawOnion(context, this.view, this.model.outlines(frame), shown, dash);
      }
    }
    if (store.comparing.value) return;
    const tool = editor.tool.value;
    const draft = editor.current.value;
    const crosshair = store.crosshair.value;
    const edge = crosshair ? toScreen(this.view, crosshair) : this.pointer;
    const { gesture } = this.hand;
    drawMarks(context, this.view, {
      tags: objects().length > 1 ? shown : [],
      anchors: this.anchors,
      clicks: draft?.clicks ?? [],
      scribbles: [
        ...(draft?.scribbles ?? []),
        ...(gesture?.kind === "scribble" ? [scribbleOf(gesture)] : []),
      ],
      box: gesture?.kind === "box" ? gesture : boxOf(draft?.box ?? null),
      path: draft?.path ?? null,
      polygons: tool === "polygon" ? (draft?.polygons ?? []) : [],
      towards: tool === "polygon" && !gesture ? edge : null,
      waiting: draft?.waiting ?? false,
      cursor:
        editor.brushes.value && edge && !store.panning.value
          ? { at: edge, diameter: store.brushSize.value * this.view.scale, tool }
          : null,
      crosshair: crosshair && toScreen(this.view, crosshair),
      size: this.size,
    });
  }
}

const boxOf = (box: [number, number, number, number] | null) =>
  box && { from: { x: box[0], y: box[1] }, to: { x: box[2], y: box[3] } };

const scribbleOf = ({ points, positive }: { points: Point[]; positive: boolean }): Scribble => ({
  points: points.map(({ x, y }) => [x, y]),
  positive,
});
