/** One view of the point verifier: which point is asked about, and what becomes of an answer. */

import type { AnyModel } from "@anywidget/types";
import { computed, effect, type ReadonlySignal, signal, untracked } from "@preact/signals";
import { type Loop, outlinesOf } from "../masks/outlines";
import { decodeRuns } from "../masks/runs";
import type { ActionTable } from "../ui/actions";
import { Activity, PAUSE } from "../ui/activity";
import { Commands } from "../ui/commands";
import { nameAmong } from "../ui/object-names";
import { rootTheme, type Theme } from "../ui/theme";
import { Frames } from "../video/frames";
import { Kernel } from "../wire/kernel";
import { Answers } from "./answers";
import type { Label, ObjectInfo, Question, VerifierCatalogue } from "./messages";
import type { Panes, Sight } from "./panes";
import { syncVerifier, type VerifierTraits } from "./traits";

/** So many answers may be on their way to the disk before the next point has to wait. */
const MOST_WAITING = 20;
/** Milliseconds until questions that did not come are asked for again. */
const RETRY = 3000;
/** Bounds of the enlarged part, in image pixels. */
const SMALLEST_CROP = 16;
const LARGEST_CROP = 1024;

/** What is known of an object once its questions have come. */
export interface Subject {
  id: number;
  questions: readonly Question[];
  /** The frame that shows where the object is, and its outline there. */
  frame: number;
  outline: readonly Loop[];
  /** Frames in the order in which they are needed, that of the localisation first. */
  order: readonly number[];
  pictures: Frames<ImageBitmap>;
}

/** What the view is about just now. */
export type Stage =
  | "waiting"
  | "proposing"
  | "failed"
  | "localisation"
  | "question"
  | "paused"
  | "behind"
  | "done";

export class View {
  readonly synced;
  readonly kernel: Kernel<VerifierCatalogue>;
  readonly theme: ReadonlySignal<Theme>;
  readonly commands: Commands<View>;
  readonly signal: AbortSignal;
  readonly answers: Answers;
  /** The object that is asked about; null before there is one, and when all is answered. */
  readonly object = signal<number | null>(null);
  /** The point that is asked about: its place among those of the object. */
  readonly place = signal(0);
  readonly paused = signal(false);
  /** While it is set, the localisation is shown again. */
  readonly reminding = signal(false);
  /** Said to those who listen. */
  readonly announcement = signal("");
  readonly subject = signal<Subject | null>(null);
  /** Grows when a picture has come. */
  readonly pictures = signal(0);
  readonly stage: ReadonlySignal<Stage>;
  /** What is on the screen: `object:place`, or the stage where no point is. */
  readonly shown = signal("");
  panes: Panes | null = null;
  /** Objects whose localisation the person has seen here. */
  private readonly introduced = signal<ReadonlySet<number>>(new Set());
  private readonly abort = new AbortController();
  private readonly activity = new Activity();
  /** Work before the point that is shown came on the screen, and while it was paused. */
  private since = 0;
  /** Work before the pause that is. */
  private pausedAt = 0;
  /** What was last on the screen, a reminder or a pause apart. */
  private timed = "";

  constructor(
    model: AnyModel<VerifierTraits>,
    readonly root: HTMLElement,
    name: string,
    actions: ActionTable<View>,
  ) {
    this.signal = this.abort.signal;
    this.synced = syncVerifier(model);
    this.kernel = new Kernel(name, (content, buffers) => model.send(content, undefined, buffers));
    this.answers = new Answers(this.kernel.state);
    this.activity.follow(root, this.signal);
    this.theme = rootTheme(root, this.synced.theme, this.signal);
    this.stage = computed(() => this.stageNow());
    this.commands = new Commands(
      actions,
      this,
      "evavos-widget.verifier-keys",
      (error) => this.kernel.fail(error),
      (words) => {
        this.announcement.value = words;
      },
      this.signal,
    );
    this.kernel.follow(model, this.signal);
  }

  start(): void {
    void this.kernel.hello();
    this.kernel.listen(() => this.activity.idle < PAUSE);
    const rules = [
      () => {
        const { gone, silent } = this.kernel;
        this.root.dataset.kernel = gone.value ? "gone" : silent.value ? "silent" : "here";
      },
      () => {
        this.root.dataset.stage = this.stage.value;
      },
      () => {
        this.root.dataset.shown = this.shown.value;
      },
      () => this.choose(),
      () => {
        if (this.object.value !== null) void this.load(this.object.value);
      },
      () => {
        // The look at an object ends with the object, and with its question.
        this.object.value;
        this.stage.value;
        this.reminding.value = false;
      },
      () => this.show(),
    ];
    const stops = rules.map((rule) => effect(rule));
    this.signal.addEventListener("abort", () => {
      for (const stop of stops) stop();
    });
  }

  close(): void {
    this.abort.abort();
    this.subject.peek()?.pictures.close();
    this.kernel.close();
    this.synced.close();
  }

  // What there is

  get objects(): readonly ObjectInfo[] {
    return this.kernel.state.value?.objects ?? [];
  }

  /** The object that is asked about, as the kernel has it. */
  get current(): ObjectInfo | null {
    return this.objects.find(({ id }) => id === this.object.value) ?? null;
  }

  called({ id }: ObjectInfo): string {
    return nameAmong(id, this.objects);
  }

  /** Points that are answered, on disk; of objects that were skipped too. */
  get answered(): number {
    return this.objects.reduce((sum, object) => sum + this.answers.saved(object), 0);
  }

  /** Points without an answer, of the objects that are skipped or of the others. */
  open(skipped: boolean): number {
    return this.objects
      .filter((object) => object.skipped === skipped)
      .reduce((sum, object) => sum + object.answers.length - this.answers.saved(object), 0);
  }

  get question(): Question | null {
    const subject = this.subject.value;
    return subject?.id === this.object.value ? (subject.questions[this.place.value] ?? null) : null;
  }

  /** The frame that is wanted on the screen. */
  get frame(): number | null {
    const subject = this.subject.value;
    if (!subject || subject.id !== this.object.value) return null;
    return this.localises ? subject.frame : (this.question?.[0] ?? null);
  }

  get picture(): ImageBitmap | undefined {
    const { frame } = this;
    const subject = this.subject.value;
    return frame === null || !subject
      ? undefined
      : subject.pictures.get(subject.order.indexOf(frame));
  }

  /** What the two pictures show. */
  get sight(): Sight {
    return {
      image: this.synced.video.value,
      picture: () => (this.stage.peek() === "paused" ? undefined : this.picture),
      pixel: () => {
        const { question } = this;
        return question && !this.localises ? { x: question[1], y: question[2] } : null;
      },
      localisation: () => {
        const subject = this.subject.peek();
        const color = this.current?.color ?? "#ffffff";
        return subject && this.localises ? { outline: subject.outline, color } : null;
      },
      crop: () => this.synced.crop.value,
      painted: () => this.painted(),
      failed: (error) => this.kernel.fail(error),
    };
  }

  /** Whether the localisation is on the screen, and no point. */
  get localises(): boolean {
    return this.stage.value === "localisation" || this.reminding.value;
  }

  /** Whether a point is on the screen and waits for an answer. */
  get asks(): boolean {
    return (
      this.stage.value === "question" &&
      !this.reminding.value &&
      !this.synced.readOnly.value &&
      this.shown.value === `${this.object.value}:${this.place.value}`
    );
  }

  /** Whether an answer is taken; while the object is shown, it only brings the point back. */
  get takesAnswers(): boolean {
    return this.asks || (this.reminding.value && !this.synced.readOnly.value);
  }

  // What the person does

  /** Begins with an object whose localisation was seen. */
  begin(): void {
    const id = this.object.peek();
    if (id !== null) this.introduced.value = new Set([...this.introduced.peek(), id]);
  }

  /** Answers the point on the screen, and shows the next; it counts once it is on disk. */
  async answer(label: Label): Promise<void> {
    const object = this.current;
    const reminded = this.reminding.peek();
    this.reminding.value = false;
    if (!object || reminded || !this.asks) return;
    const place = this.place.peek();
    const seconds = this.measured();
    this.kernel.trouble.value = null;
    this.answers.send(object.id, place, label);
    this.go(this.answers.next(object, place));
    try {
      const fields = { object: object.id, place, label, seconds };
      const reply = await this.kernel.request("point.answer", fields);
      this.answers.arrived(object.id, place, label, reply.fields.revision);
    } catch (error) {
      this.answers.refused(object.id, place);
      this.kernel.fail(error);
      // What was not taken is asked again.
      if (!this.signal.aborted) {
        this.object.value = object.id;
        this.place.value = place;
      }
    }
  }

  /** The point before, of the object in hand or else of the nearest one before it. */
  get before(): { object: number; place: number } | null {
    const { current, objects } = this;
    const place = this.place.value;
    if (current && place > 0 && this.stage.value !== "localisation") {
      return { object: current.id, place: place - 1 };
    }
    const last = objects
      .slice(0, current ? objects.indexOf(current) : objects.length)
      .findLast(({ skipped, answers }) => !skipped && answers.length > 0);
    return last ? { object: last.id, place: last.answers.length - 1 } : null;
  }

  /** Goes to the point before, to answer it anew. */
  back(): void {
    const { before } = this;
    if (!before) return;
    this.object.value = before.object;
    this.place.value = before.place;
  }

  /** The point after one that is answered. */
  forward(): void {
    const object = this.current;
    if (!object || this.answers.of(object, this.place.value) === null) return;
    if (this.place.value + 1 < object.answers.length) this.place.value += 1;
    else this.go(this.answers.next(object, this.place.value));
  }

  /** Puts the object off; once the kernel's state says so, the next is in hand. */
  async skip(): Promise<void> {
    const object = this.current;
    if (!object) return;
    this.kernel.trouble.value = null;
    const reply = await this.kernel.ask("object.skip", { object: object.id, skipped: true });
    if (reply) this.announcement.value = `${this.called(object)} put off`;
  }

  /** Takes an object up again that was put off. */
  take(object: number): void {
    this.kernel.trouble.value = null;
    void this.kernel.ask("object.skip", { object, skipped: false });
  }

  togglePause(): void {
    const { worked } = this.activity;
    if (this.paused.peek()) this.since += worked - this.pausedAt;
    else this.pausedAt = worked;
    this.paused.value = !this.paused.value;
  }

  enlarge(factor: number): void {
    const crop = Math.round(this.synced.crop.value / factor);
    this.synced.crop.set(Math.min(Math.max(crop, SMALLEST_CROP), LARGEST_CROP));
  }

  /** The panes have painted what is wanted. */
  private painted(): void {
    const stage = this.stage.peek();
    const at = `${this.object.peek()}:${this.place.peek()}`;
    const shown = stage === "question" && this.picture && !this.reminding.peek() ? at : stage;
    if (shown === this.shown.peek()) return;
    // After a reminder or a pause, the time of a point goes on.
    if (stage !== "paused" && !this.reminding.peek() && shown !== this.timed) {
      this.since = this.activity.worked;
      this.timed = shown;
    }
    this.shown.value = shown;
    this.root.dataset.evavosReady = "true";
  }

  // What follows from what

  private stageNow(): Stage {
    const state = this.kernel.state.value;
    if (!state) return "waiting";
    if (state.phase !== "ready") return state.phase;
    if (this.paused.value) return "paused";
    if (this.object.value === null) return this.unfinished() ? "waiting" : "done";
    if (this.subject.value?.id !== this.object.value) return "waiting";
    if (!this.introduced.value.has(this.object.value)) return "localisation";
    return this.answers.waiting.value >= MOST_WAITING ? "behind" : "question";
  }

  /** The first object that has a point without an answer. */
  private unfinished(): ObjectInfo | undefined {
    return this.objects.find((object) => !object.skipped && this.answers.next(object) >= 0);
  }

  /** Takes an object in hand where there is none, or where it went. */
  private choose(): void {
    const state = this.kernel.state.value;
    if (state?.phase !== "ready") return;
    const current = this.current;
    if (current && !current.skipped) return;
    const object = this.unfinished();
    this.object.value = object?.id ?? null;
    this.place.value = object ? this.answers.next(object) : 0;
  }

  /** Goes to a point of the object in hand; -1: to the next object. */
  private go(place: number): void {
    if (place >= 0) {
      this.place.value = place;
      return;
    }
    const here = this.object.peek();
    const object = this.objects.find(
      (o) => o.id !== here && !o.skipped && this.answers.next(o) >= 0,
    );
    this.object.value = object?.id ?? null;
    this.place.value = object ? this.answers.next(object) : 0;
  }

  private async load(id: number): Promise<void> {
    if (this.subject.peek()?.id === id) return;
    const reply = await this.kernel.ask("questions.get", { object: id });
    if (this.signal.aborted || this.object.peek() !== id) return;
    if (!reply) {
      if (!this.kernel.gone.peek()) setTimeout(() => this.loadAgain(id), RETRY);
      return;
    }
    const { frame, questions } = reply.fields;
    const { width, height } = this.synced.video.value;
    const [{ buffer, byteOffset, byteLength }] = reply.buffers;
    const runs = new Uint32Array(buffer.slice(byteOffset, byteOffset + byteLength) as ArrayBuffer);
    const labels = decodeRuns(runs, new Uint8Array(width * height));
    const outline = outlinesOf(labels, width, height).get(1) ?? [];
    const order = [...new Set([frame, ...questions.map(([f]) => f)])];
    const pictures = new Frames<ImageBitmap>(
      {
        load: (index, signal) => this.kernel.frame(order[index], { signal }),
        loaded: () => {
          this.pictures.value++;
        },
        failed: (_, error) => this.kernel.fail(error),
      },
      order.length,
    );
    this.subject.peek()?.pictures.close();
    this.subject.value = { id, questions, frame, outline, order, pictures };
  }

  private loadAgain(id: number): void {
    if (!this.signal.aborted && this.object.peek() === id) void this.load(id);
  }

  /** Asks for the picture that is wanted, and those after it, and has the panes drawn. */
  private show(): void {
    const { frame } = this;
    const subject = this.subject.value;
    this.pictures.value;
    this.stage.value;
    this.reminding.value;
    this.place.value;
    this.synced.crop.value;
    if (subject && frame !== null) subject.pictures.want(subject.order.indexOf(frame), 1);
    // What the panes look up is no reason to draw them again.
    untracked(() => this.panes?.show());
  }

  /** Seconds of work since the point on the screen came. */
  private measured(): number {
    return (this.activity.worked - this.since) / 1000;
  }
}
