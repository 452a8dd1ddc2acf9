/** One display of the curves: what it shares with the kernel, and what belongs to it alone. */

import type { AnyModel } from "@anywidget/types";
import { computed, type ReadonlySignal, signal } from "@preact/signals";
import { type Line, nearestX, nextX } from "../chart/lines";
import { type Chart, type Frame, frameOf } from "../chart/picture";
import { rootTheme, type Theme } from "../ui/theme";
import { Kernel } from "../wire/kernel";
import type { CurvesCatalogue } from "./messages";
import { type CurvesTraits, syncCurves, unpack } from "./traits";

export class View {
  readonly kernel: Kernel<CurvesCatalogue>;
  readonly synced;
  readonly theme: ReadonlySignal<Theme>;
  /** Of the place for the chart, in CSS pixels; 0 while it is out of sight. */
  readonly width = signal(0);
  /** Time at which the lines are read; null while nobody points. */
  readonly cursor = signal<number | null>(null);
  readonly tableOpen = signal(false);
  readonly lines: ReadonlySignal<Line[]>;
  readonly shown: ReadonlySignal<Line[]>;
  readonly chart: ReadonlySignal<Chart>;
  readonly frame: ReadonlySignal<Frame>;
  private readonly abort = new AbortController();

  constructor(model: AnyModel<CurvesTraits>, root: HTMLElement, name: string) {
    this.kernel = new Kernel(name, (content, buffers) => model.send(content, undefined, buffers));
    const synced = syncCurves(model);
    this.synced = synced;
    this.theme = rootTheme(root, synced.theme, this.abort.signal);
    this.lines = computed(() => unpack(synced.drawing.value.lines));
    this.shown = computed(() =>
      this.lines.value.filter((line) => !synced.hidden.value.includes(line.name)),
    );
    this.chart = computed(() => ({
      unit: synced.drawing.value.unit,
      lines: this.shown.value,
      target: synced.target.value,
      logarithmic: synced.logarithmic.value,
    }));
    this.frame = computed(() => {
      const width = this.width.value;
      return frameOf(this.chart.value, width, Math.round(Math.min(380, 120 + width * 0.4)));
    });
    this.kernel.follow(model, this.abort.signal);
  }

  /** Reads the lines at their point that is nearest to a pixel. */
  point(pixel: number): void {
    this.cursor.value = nearestX(this.shown.value, this.frame.value.x.value(pixel));
  }

  /** Goes on by keys: a step that can be seen, or at least to the next point. */
  step(direction: 1 | -1, pixels: number): void {
    const { x, left } = this.frame.value;
    const now = this.cursor.value;
    if (now === null) {
      this.point(left);
      return;
    }
    const lines = this.shown.value;
    const far = nearestX(lines, x.value(x.pixel(now) + direction * pixels));
    const next = nextX(lines, now, direction);
    if (next === null || far === null) return;
    this.cursor.value = (far - now) * direction > 0 ? far : next;
  }

  toggle(name: string): void {
    const hidden = this.synced.hidden.value;
    this.synced.hidden.set(
      hidden.includes(name) ? hidden.filter((each) => each !== name) : [...hidden, name],
    );
  }

  /** Introduces the view. */
  start(): void {
    void this.kernel.hello();
    this.kernel.listen(() => {
      const phase = this.synced.progress.value?.phase;
      return phase === "running" || phase === "stopping";
    });
  }

  /** Stops the run; what is finished stays. */
  stop(): void {
    this.kernel.trouble.value = null;
    void this.kernel.ask("stop", {});
  }

  /** Goes on with a run that was stopped. */
  resume(): void {
    this.kernel.trouble.value = null;
    void this.kernel.ask("resume", {});
  }

  close(): void {
    this.abort.abort();
    this.kernel.close();
    this.synced.close();
  }
}
