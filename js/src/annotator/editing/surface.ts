/**
 * The canvas as a place to draw on: what pointer and crosshair do to the masks with the tool in
 * hand, and the marks that this leaves over the picture.
 */

import { computed, effect, untracked } from "@preact/signals";
import type { Point, Size } from "../../masks/geometry";
import type { MaskLayer } from "../../masks/mask-layer";
import type { Outlines } from "../../masks/outlines";
import { Canvas } from "../../video/canvas";
import { AFTER, BEFORE, drawOnion } from "../../video/onion";
import { drawPixelMarker } from "../../video/pixel-marker";
import { fitView } from "../../video/view-transform";
import type { Display, ObjectInfo, Scribble } from "../messages";
import type { Store } from "../store";
import { onPixel } from "./crosshair";
import type { Editor } from "./editor";
import { type Gesture, Gestures, reachOf } from "./gestures";
import { drawMarks } from "./marks";

/** CSS pixels around the crosshair that stay in sight. */
const MARGIN = 24;
/** Of the marker at a pixel that is asked about; CSS pixels. */
const ARM = 16;
/** So many times as large as fitted is the picture where a pixel of it is asked about. */
const CLOSER = 3;

/** What the crosshair has begun; using the tool again ends it. */
const HELD: Partial<Record<Gesture["kind"], string>> = {
  box: "Box begun; use the tool at the other corner",
  scribble: "Scribble begun; use the tool at its end",
  vertex: "Vertex in hand; use the tool where it belongs",
};

export interface SurfaceModel {
  editor: Editor;
  store: Store;
  layer: MaskLayer;
  image: Size;
  picture(): ImageBitmap | undefined;
  objects(): readonly ObjectInfo[];
  /** Outlines of another frame's masks, for the onion skin. */
  outlines(frame: number): Outlines | null;
  display(): Display;
  /** Ends playing: something is done to the frame on the screen. */
  hold(): void;
  /** A picture with its masks has reached the screen. */
  painted(): void;
  failed(error: unknown): void;
}

export class Surface {
  readonly canvas: Canvas;
  private readonly gestures: Gestures;
  /** A pixel is asked about. */
  private close = false;
  private anchors: ReadonlyMap<number, Point> = new Map();

  constructor(
    element: HTMLElement,
    private readonly model: SurfaceModel,
    abort: AbortSignal,
  ) {
    const { editor, store, layer, image, objects, display } = model;
    this.gestures = new Gestures(editor, image, (error) => model.failed(error));
    this.canvas = new Canvas(
      element,
      {
        image,
        picture: () => model.picture(),
        masks: {
          layer,
          labels: objects,
          style: () => ({ ...display(), before: store.comparing.value }),
          overlays: () => editor.drafts.on(store.shown.value),
          locked: () => editor.objects.locked(),
        },
        marks: (context) => this.drawMarks(context),
        pointer: {
          pans: () => store.panning.value || editor.verifying.asked.value !== null,
          down: (at, event, second) => this.down(at, event, second),
          move: (at) => this.gestures.move(at),
          up: (at) => this.gestures.up(at),
          cancel: () => this.gestures.cancel(),
        },
        painted: () => model.painted(),
        failed: (error) => model.failed(error),
      },
      abort,
    );
    const stop = effect(() => {
      editor.drafts.version.value;
      editor.tool.value;
      editor.objects.active.value;
      editor.brushes.value;
      store.brushSize.value;
      store.panning.value;
      store.peeking.value;
      store.crosshair.value;
      this.canvas.showMarks();
    });
    const look = effect(() => this.look(editor.verifying.asked.value?.at ?? null));
    // What was begun on one frame or object is not ended on another; what was begun while an
    // object is being added is for that one.
    const object = computed(() => editor.objects.active.value?.id);
    const leave = () => untracked(() => this.gestures.leave());
    const leaveFrame = effect(() => {
      store.shown.value;
      leave();
    });
    const leaveObject = effect(() => {
      object.value;
      if (!editor.objects.isAdding) leave();
    });
    abort.addEventListener("abort", () => {
      for (const each of [stop, look, leaveFrame, leaveObject]) each();
    });
  }

  /** Goes close to a pixel that is asked about, and back where none is any more. */
  private look(at: Point | null): void {
    const { viewport } = this.canvas;
    if (at) viewport.centre(at, CLOSER * fitView(viewport.image, viewport.size).scale);
    else if (this.close) viewport.fit();
    this.close = at !== null;
  }

  /** Whether something is under way that is not a step yet. */
  get busy(): boolean {
    return this.gestures.current !== null;
  }

  /** Gives up what is under way. */
  cancelGesture(): void {
    this.gestures.cancel();
    this.canvas.endPan();
    this.canvas.showMarks();
  }

  /** Shows the crosshair, where the pointer is or in the middle of what is seen, or puts it away. */
  toggleCrosshair(): void {
    const { store, image } = this.model;
    const { viewport, pointer } = this.canvas;
    const start = onPixel(viewport.toImage(pointer ?? viewport.middle), image);
    this.moveCrosshair(store.crosshair.value ? null : start);
    this.canvas.focus();
  }

  moveCrosshair(to: Point | null): void {
    this.model.store.crosshair.value = to;
    if (to) {
      this.gestures.follow(to);
      this.canvas.viewport.reveal(to, MARGIN);
    } else this.gestures.rest();
  }

  /** Uses the tool where the crosshair stands. */
  place(negative: boolean): void {
    const at = this.model.store.crosshair.value;
    if (at) {
      this.model.hold();
      this.gestures.place(at, negative);
    }
    // What a pointer would hold down is told: the arrows move it now.
    const begun = this.gestures.current && HELD[this.gestures.current.kind];
    if (begun) this.model.store.announcement.value = begun;
    this.canvas.showMarks();
  }

  /** Brushes from where the crosshair was used last to where it stands. */
  strokeToCrosshair(): void {
    const at = this.model.store.crosshair.value;
    if (!at) return;
    this.model.hold();
    this.gestures.strokeTo(at);
  }

  /** Takes the object under the crosshair or the pointer in hand. */
  pick(): void {
    const { viewport, pointer } = this.canvas;
    const at = this.model.store.crosshair.value ?? (pointer && viewport.toImage(pointer));
    if (at) this.model.editor.pick(at);
  }

  private down(at: Point, event: PointerEvent, second: boolean): void {
    const negative = second || event.shiftKey;
    if (event.altKey) this.model.editor.pick(at);
    else {
      this.model.hold();
      const reach = reachOf(this.canvas.viewport.view.scale, event.pointerType === "touch");
      this.gestures.down(at, negative, reach, event.timeStamp);
    }
  }

  private drawMarks(context: CanvasRenderingContext2D): void {
    const { editor, store, layer, objects, display } = this.model;
    const { viewport, pointer } = this.canvas;
    const { view, size } = viewport;
    const gesture = this.gestures.current;
    // Tags stand still under the brush.
    if (gesture?.kind !== "stroke") this.anchors = layer.anchors();
    if (store.peeking.value) return;
    const shown = objects().filter((object) => object.visible);
    if (display().onion) {
      for (const [frame, dash] of [
        [store.shown.value - 1, BEFORE],
        [store.shown.value + 1, AFTER],
      ] as const) {
        drawOnion(context, view, this.model.outlines(frame), shown, dash);
      }
    }
    if (store.comparing.value) return;
    const asked = editor.verifying.asked.value;
    if (asked) {
      drawPixelMarker(context, view, asked.at, ARM);
      return;
    }
    const tool = editor.tool.value;
    const draft = editor.drafts.current.value;
    const crosshair = store.crosshair.value;
    const edge = crosshair ? viewport.toScreen(crosshair) : pointer;
    drawMarks(context, view, {
      tags: objects().length > 1 ? shown : [],
      anchors: this.anchors,
      clicks: draft?.clicks ?? [],
      scribbles: [
        ...(draft?.scribbles ?? []),
        ...(gesture?.kind === "scribble" ? [scribbleOf(gesture)] : []),
      ],
      box: gesture?.kind === "box" ? gesture : boxOf(draft?.box ?? null),
      path: draft?.path ?? null,
      polygons: tool === "polygon" ? (editor.drafts.movable.value?.polygons ?? []) : [],
      towards: tool === "polygon" && !gesture ? edge : null,
      waiting: draft?.waiting ?? false,
      cursor:
        editor.brushes.value && edge && !store.panning.value
          ? { at: edge, diameter: store.brushSize.value * view.scale, tool }
          : null,
      crosshair: crosshair && viewport.toScreen(crosshair),
      size,
    });
  }
}

const boxOf = (box: [number, number, number, number] | null) =>
  box && { from: { x: box[0], y: box[1] }, to: { x: box[2], y: box[3] } };

const scribbleOf = ({ points, positive }: { points: Point[]; positive: boolean }): Scribble => ({
  points: points.map(({ x, y }) => [x, y]),
  positive,
});
