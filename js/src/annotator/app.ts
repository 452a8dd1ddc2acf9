/** One view of the annotator: puts the parts together and takes them apart again. */

import type { AnyModel } from "@anywidget/types";
import { computed, effect, type ReadonlySignal } from "@preact/signals";
import type { Rect } from "../masks/geometry";
import { davisColor } from "../masks/label-paint";
import { MaskLayer } from "../masks/mask-layer";
import { Masks } from "../masks/mask-store";
import { type Outlines, outlinesOf } from "../masks/outlines";
import { decodeRuns } from "../masks/runs";
import type { ActionTable } from "../ui/actions";
import { Activity, PAUSE } from "../ui/activity";
import { Commands } from "../ui/commands";
import { rootTheme, type Theme } from "../ui/theme";
import type { Canvas } from "../video/canvas";
import { Frames } from "../video/frames";
import { Navigation } from "../video/navigation";
import { THUMB_WIDTH, Thumbs } from "../video/thumbs";
import { AnnotatorKernel } from "./annotator-kernel";
import { Editor } from "./editing/editor";
import { KeptDrafts } from "./editing/kept-drafts";
import type { Surface } from "./editing/surface";
import { recallPlace, rememberPlace } from "./memory";
import type { Display, ObjectInfo } from "./messages";
import { brushFor, createStore, type Store } from "./store";
import { type SyncedTraits, syncAnnotator, type Traits } from "./traits";

/** Frames whose masks are fetched ahead while moving through the video. */
const MASKS_AHEAD = 16;

const DEFAULT_DISPLAY: Display = {
  opacity: 0.5,
  contour: true,
  onion: false,
  difference: false,
  palette: "safe",
};

export class App {
  readonly synced: SyncedTraits;
  readonly store: Store = createStore();
  readonly kernel: AnnotatorKernel;
  readonly masks: Masks;
  readonly layer: MaskLayer;
  readonly editor: Editor;
  readonly navigation: Navigation;
  readonly frames: Frames<ImageBitmap>;
  readonly thumbs: Thumbs;
  readonly theme: ReadonlySignal<Theme>;
  /** How the picture is shown; what Python left out has its default. */
  readonly display: ReadonlySignal<Display>;
  readonly commands: Commands<App>;
  readonly signal: AbortSignal;
  /** Null before the picture is on the screen. */
  surface: Surface | null = null;
  private kept: KeptDrafts | null = null;
  /** Outlines by the runs they were drawn from, and gone with them. */
  private readonly onion = new WeakMap<Uint32Array, Outlines>();
  private readonly abort = new AbortController();
  private readonly activity = new Activity();

  /**
   * @param root element of the view; carries what tests and styles want to know
   * @param view name of the view, unique over all pages
   * @param actions what a person can do in it
   */
  constructor(
    model: AnyModel<Traits>,
    readonly root: HTMLElement,
    private readonly view: string,
    actions: ActionTable<App>,
  ) {
    this.signal = this.abort.signal;
    root.dataset.view = view;
    this.synced = syncAnnotator(model);
    this.display = computed(() => ({ ...DEFAULT_DISPLAY, ...this.synced.display.value }));
    const { width, height, n_frames } = this.synced.video.value;
    this.store.brushSize.value = brushFor(width, height);
    this.kernel = new AnnotatorKernel(
      view,
      (content, buffers) => model.send(content, undefined, buffers),
      (places, buffer) => this.masks.accept(places, buffer),
      (object) => this.seen(object),
    );
    this.masks = new Masks(
      (frame) => this.kernel.state.peek()?.revisions[frame] ?? -1,
      async (frames) => {
        const reply = await this.kernel.ask("mask.get", { frames });
        if (reply) this.masks.accept(reply.fields.masks, reply.buffers[0]);
      },
      (frames) => {
        const shown = this.store.shown.peek();
        if (frames.includes(shown)) this.showMasks();
        else if (frames.some((frame) => Math.abs(frame - shown) === 1)) this.canvas?.showMarks();
      },
      (error) => this.kernel.fail(error),
    );
    this.layer = new MaskLayer(width, height);
    this.activity.follow(root, this.signal);
    const host = {
      layer: this.layer,
      changed: (rect?: Rect) => this.canvas?.showLabels(rect),
    };
    this.editor = new Editor(this.kernel, this.synced, this.store, this.masks, host, this.activity);
    this.navigation = new Navigation(this.synced, this.store, {
      request: (callback) => requestAnimationFrame(callback),
      cancel: (handle) => cancelAnimationFrame(handle),
    });
    const glimpse = (frame: number, signal: AbortSignal) => this.kernel.glimpse(frame, { signal });
    this.frames = new Frames<ImageBitmap>(
      {
        load: (frame, signal) => this.kernel.frame(frame, { signal }),
        glimpse,
        loaded: (frame) => this.arrived(frame),
        failed: (_, error) => this.kernel.fail(error),
      },
      n_frames,
    );
    this.thumbs = new Thumbs(
      {
        load: (frame, signal) => this.kernel.frame(frame, { signal, width: THUMB_WIDTH }),
        glimpse,
      },
      (error) => this.kernel.fail(error),
      n_frames,
    );
    this.theme = rootTheme(root, this.synced.theme, this.signal);
    this.commands = new Commands(
      actions,
      this,
      "evavos-widget.keys",
      (error) => this.kernel.fail(error),
      (words) => {
        this.store.announcement.value = words;
      },
      this.signal,
    );
    const screen = () => {
      this.store.wholeScreen.value = root.matches(":fullscreen");
    };
    root.addEventListener("fullscreenchange", screen, { signal: this.signal });
    this.kernel.follow(model, this.signal);
    this.follow();
  }

  get canvas(): Canvas | null {
    return this.surface?.canvas ?? null;
  }

  /** Asks the kernel for everything the view shows. */
  start(): void {
    this.attempt(this.kernel.hello().then(() => this.goOn()));
    this.kernel.listen(() => this.activity.idle < PAUSE || this.kernel.job.peek().phase !== "idle");
    this.seek(this.navigation.frame.peek());
  }

  close(): void {
    this.navigation.pause();
    this.abort.abort();
    this.kept?.close();
    this.editor.close();
    this.frames.close();
    this.thumbs.close();
    this.kernel.close();
    this.synced.close();
  }

  /** The annotator alone on the screen, or in its cell again. */
  async toggleWholeScreen(): Promise<void> {
    if (this.store.wholeScreen.peek()) await document.exitFullscreen();
    else await this.root.requestFullscreen();
    this.canvas?.focus();
  }

  /** Where the person was in this session, before the page or the kernel began anew. */
  private goOn(): void {
    const session = this.kernel.capabilities.peek()?.session;
    if (!session || this.signal.aborted) return;
    const { synced, navigation, editor } = this;
    const begins = synced.frame.value === 0 && synced.tool.value === "auto";
    const place = begins ? recallPlace(session) : null;
    if (place) {
      navigation.jump(place.frame);
      const known = this.kernel.objects.peek().some(({ id }) => id === place.object);
      if (known) synced.activeObject.set(place.object);
      if (!synced.readOnly.value) synced.tool.set(place.tool);
    }
    if (!synced.readOnly.value) this.keepDrafts(session);
    const stop = effect(() => {
      const object = editor.objects.active.value?.id ?? 0;
      rememberPlace(session, { frame: navigation.frame.value, object, tool: synced.tool.value });
    });
    this.signal.addEventListener("abort", stop);
  }

  private keepDrafts(session: string): void {
    const others = () => [...document.querySelectorAll<HTMLElement>(".evavos[data-view]")];
    const alive = (view: string) =>
      others().some(({ dataset }) => dataset.view === view && dataset.kernel !== "gone");
    const { kernel, store, masks, editor } = this;
    this.kept = new KeptDrafts(session, this.view, kernel, store, masks, editor.drafts, alive);
    window.addEventListener("pagehide", () => this.kept?.write(), { signal: this.signal });
  }

  /** Lets something go on by itself; what goes wrong is shown in the log. */
  attempt(task: Promise<unknown>): void {
    task.catch((error) => this.kernel.fail(error));
  }

  /** Changes how the picture is shown. */
  show(changes: Partial<Display>): void {
    this.synced.display.set({ ...this.display.value, ...changes });
  }

  /** An object in the colour, and as visible, as this view shows it. */
  private seen(object: ObjectInfo): ObjectInfo {
    const flipped = this.synced.readOnly.value && this.store.flipped.value.has(object.id);
    const davis = this.display.value.palette !== "safe";
    if (!flipped && !davis) return object;
    return {
      ...object,
      visible: object.visible !== flipped,
      color: davis ? davisColor(object.id) : object.color,
    };
  }

  /** The picture and masks of the shown frame are on the screen. */
  painted(): void {
    if (this.store.shown.peek() >= 0) this.root.dataset.evavosReady = "true";
  }

  /** Effects that carry a change in one part to the others. */
  private follow(): void {
    const { root, store, kernel, editor } = this;
    const outcome = computed(() => {
      const { phase, message } = kernel.job.value;
      return phase === "idle" ? message : "";
    });
    const rules = [
      () => this.seek(this.navigation.frame.value),
      () => {
        if (kernel.state.value) this.wantMasks(store.shown.value);
      },
      () => {
        kernel.objects.value;
        this.display.value;
        store.comparing.value;
        this.canvas?.showLabels();
      },
      () => {
        // What goes and comes back by undo is not changed any more: its name would take the keys.
        const changed = store.changing.value?.object;
        if (changed && !kernel.objects.value.some(({ id }) => id === changed)) {
          store.changing.value = null;
        }
      },
      () => {
        if (outcome.value) store.announcement.value = outcome.value;
      },
      () => {
        root.dataset.frame = String(store.shown.value);
      },
      () => {
        const { gone, silent } = kernel;
        root.dataset.kernel = gone.value ? "gone" : silent.value ? "silent" : "here";
      },
      () => {
        root.dataset.phase = kernel.job.value.phase;
      },
      () => {
        root.dataset.revision = String(kernel.state.value?.revision ?? 0);
      },
      () => {
        root.dataset.draft = editor.drafts.kind.value;
      },
      () => {
        root.dataset.tool = editor.tool.value;
      },
    ];
    const stops = rules.map((rule) => effect(rule));
    this.signal.addEventListener("abort", () => {
      for (const stop of stops) stop();
    });
  }

  private seek(frame: number): void {
    if (this.frames.get(frame)) this.showFrame(frame);
    this.frames.want(frame, this.navigation.direction);
    this.wantMasks(frame);
  }

  /** A picture has come: the wanted one, one of about its moment, or one passed on the way. */
  private arrived(frame: number): void {
    const wanted = this.navigation.frame.peek();
    const shown = this.store.shown.peek();
    const nearer = Math.abs(frame - wanted) < Math.abs(shown - wanted);
    if (frame === wanted || (shown !== wanted && nearer)) this.showFrame(frame);
  }

  private showFrame(frame: number): void {
    this.store.shown.value = frame;
    this.store.coarse.value = !this.frames.isExact(frame);
    this.takeMasks(frame);
    this.canvas?.showFrame();
  }

  private showMasks(): void {
    this.takeMasks(this.store.shown.peek());
    this.canvas?.showLabels();
  }

  private takeMasks(frame: number): void {
    this.layer.setCommitted(this.masks.get(frame), this.masks.before(frame));
  }

  /** Outlines of a neighbouring frame's masks, for the onion skin. */
  outlines(frame: number): Outlines | null {
    const runs = this.masks.get(frame);
    if (!runs) return null;
    let known = this.onion.get(runs);
    if (!known) {
      const { width, height } = this.layer;
      known = outlinesOf(decodeRuns(runs, new Uint8Array(width * height)), width, height);
      this.onion.set(runs, known);
    }
    return known;
  }

  private wantMasks(frame: number): void {
    const { direction, count } = this.navigation;
    const ahead = Array.from({ length: MASKS_AHEAD }, (_, step) => frame + step * direction);
    ahead.splice(1, 0, frame - direction);
    this.masks.want(ahead.filter((other) => other >= 0 && other < count));
  }
}
