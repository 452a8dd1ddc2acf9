/**
 * A kernel in the page: it speaks the catalogue, draws a clip with two moving things in it, and
 * plays the engines with discs. Enough to work and test the whole screen without a notebook.
 */

import type {
  AnnotatorCatalogue,
  Capabilities,
  Click,
  Job,
  ObjectInfo,
  Scribble,
  State,
} from "../src/annotator/messages";
import type { MaskPlace } from "../src/masks/mask-store";
import { decodeRuns, encodeRuns } from "../src/masks/runs";
import { CREDIT_WINDOW, type RequestKind as Kinds, type Video } from "../src/wire/catalogue";
import type { Incoming } from "../src/wire/channel";

type RequestKind = Kinds<AnnotatorCatalogue>;

const COLORS = ["#e69f00", "#56b4e9", "#009e73", "#f0e442", "#0072b2", "#d55e00", "#cc79a7"];
/** Frames from one that is decoded by itself to the next. */
const KEY_EVERY = 10;
const IDLE: Job = {
  phase: "idle",
  name: "",
  done: 0,
  total: 0,
  remaining_seconds: null,
  message: "",
};

export interface FakeOptions {
  width: number;
  height: number;
  count: number;
  /** Address of real frames, `{}` for the number; drawn ones without it. */
  frames: string | null;
  /** Address that takes the prompts of a preview and gives runs back; discs without it. */
  predictor: string | null;
  learned: boolean;
  /** The annotation types that can be given. */
  types: string[];
  /** How many objects there are from the beginning. */
  objects: number;
  /** A frame that has a mask of the first from the beginning; -1 for none. */
  drawn: number;
}

interface Snapshot {
  label: string;
  objects: ObjectInfo[];
  annotated: Map<number, Map<number, Uint8Array>>;
  /** How annotations came about, by "frame:object". */
  marks: Map<string, string>;
  masks: Uint8Array[];
  quality: (number | null)[];
  fresh: Set<number>;
}

/** What a kernel for looking only refuses. */
const CHANGES: readonly RequestKind[] = [
  "mask.commit",
  "object.add",
  "object.update",
  "object.remove",
  "object.merge",
  "annotation.remove",
  "history.undo",
  "history.redo",
  "job.start",
  "job.pause",
  "job.resume",
  "job.cancel",
  "suggestion.snooze",
];

type Request = Incoming & Record<string, unknown> & { id: string; kind: RequestKind };
type Answer = { fields?: object; buffers?: Uint8Array[] };

export class FakeKernel {
  readonly video: Video;
  readonly received: RequestKind[] = [];
  send: (content: object, buffers: DataView[]) => void = () => {};
  /** Milliseconds before an answer. */
  latency = 4;
  /** Milliseconds per propagated frame. */
  pace = 30;
  readOnly = false;
  /** Milliseconds that a frame takes to be decoded, beside those that can be by themselves. */
  decoding = 0;
  /** Milliseconds the predictor takes. */
  thinking = 60;
  /** The messages go nowhere, as after a kill: the host still takes them. */
  dead = false;
  /** No answer at all while it is true, as in a busy notebook. */
  frozen = false;
  /** What the next request of a kind fails with. */
  readonly failures = new Map<RequestKind, string>();

  /** How many passes have come to their end. */
  passes = 0;
  /** Points that were verified, in order. */
  readonly labelled: object[] = [];

  private readonly waiting: [Request, Uint8Array[]][] = [];
  private readonly views = new Map<string, { sent: number; acknowledged: number }>();
  private readonly cancelled = new Set<string>();
  private revision = 1;
  private revisions: number[];
  private now: Snapshot;
  private past: Snapshot[] = [];
  private future: Snapshot[] = [];
  private job: Job = IDLE;
  private saved: number | null = null;
  private seconds = 0;
  private curve: State["curve"] = [];
  private readonly snoozed = new Set<number>();

  constructor(private readonly options: FakeOptions) {
    const { width, height, count } = options;
    this.video = { name: "clip", n_frames: count, width, height, fps: 24 };
    this.revisions = Array(count).fill(1);
    this.now = {
      label: "",
      objects: [],
      annotated: new Map(),
      marks: new Map(),
      masks: Array.from({ length: count }, () => new Uint8Array(width * height)),
      quality: Array(count).fill(null),
      fresh: new Set(),
    };
    for (let i = 0; i < options.objects; i++)
      this.now.objects = [...this.now.objects, newObject(i + 1)];
    if (options.drawn >= 0) {
      const mask = new Uint8Array(width * height).fill(1, 0, 99 * width);
      this.annotate(options.drawn, 1, mask, "mask");
    }
  }

  async receive(content: Incoming, buffers: Uint8Array[]): Promise<void> {
    const request = content as Request;
    if (this.dead) return;
    if (request.kind !== "ping") this.received.push(request.kind);
    if (request.kind === "ack") {
      const view = this.views.get(String(request.view));
      if (view) view.acknowledged = Number(request.push);
      return;
    }
    if (this.frozen) {
      this.waiting.push([request, buffers]);
      return;
    }
    if (request.kind === "cancel") this.cancelled.add(String(request.target));
    await sleep(this.latency);
    if (this.cancelled.has(request.id)) return;
    const failure = this.failures.get(request.kind);
    this.failures.delete(request.kind);
    try {
      if (failure) throw new Error(failure);
      if (this.readOnly && CHANGES.includes(request.kind)) {
        throw new Error("this annotator is read-only; nothing was changed.");
      }
      const { fields = {}, buffers: out = [] } = (await this.answer(request, buffers)) ?? {};
      this.send({ id: request.id, ok: true, ...fields }, out.map(view));
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      this.send({ id: request.id, ok: false, error: { code: "invalid", message } }, []);
    }
  }

  thaw(): void {
    this.frozen = false;
    for (const [request, buffers] of this.waiting.splice(0)) void this.receive(request, buffers);
  }

  log(level: string, message: string): void {
    this.push("log", { level, message, time: Date.now() / 1000 });
  }

  private async answer(request: Request, buffers: Uint8Array[]): Promise<Answer | undefined> {
    const { width, height } = this.video;
    const frame = Number(request.frame);
    const object = Number(request.object);
    switch (request.kind) {
      case "hello":
        this.views.set(String(request.view), { sent: 0, acknowledged: 0 });
        return { fields: { state: this.state(), capabilities: this.capabilities() } };
      case "bye":
        this.views.delete(String(request.view));
        return undefined;
      case "frame.get":
        return this.frame(frame, request.quick === true);
      case "mask.get": {
        const { places, buffer } = this.pack(request.frames as number[]);
        return { fields: { masks: places }, buffers: [buffer] };
      }
      case "prompt.preview": {
        if (this.options.predictor) {
          const body = JSON.stringify(request);
          const reply = await fetch(this.options.predictor, { method: "POST", body });
          const runs = new Uint8Array(await reply.arrayBuffer());
          return { fields: { score: 0.87, ms: 0, takes: {} }, buffers: [runs] };
        }
        const mask = this.predict(
          frame,
          object,
          [
            ...(request.clicks as Click[]),
            ...(request.scribbles as Scribble[]).flatMap(({ points, positive }) =>
              points.map(([x, y]): Click => [x, y, positive ? 1 : 0]),
            ),
          ],
          request.box as number[],
        );
        await sleep(this.thinking);
        const fields = { score: 0.87, ms: this.thinking, takes: {} };
        return { fields, buffers: [bytes(encodeRuns(mask))] };
      }
      case "mask.commit": {
        const runs = new Uint32Array(buffers[0].slice().buffer);
        const mask = decodeRuns(runs, new Uint8Array(width * height));
        const type = String(request.annotation_type);
        const takes = this.taken(frame, object, mask);
        if (request.others === "ask" && Object.keys(takes).length > 0) {
          return { fields: { revision: this.revision, saved: false, takes } };
        }
        if (request.others === "leave") {
          const held = this.held(frame, object);
          for (let i = 0; i < mask.length; i++) if (held[i]) mask[i] = 0;
        }
        this.change(`${type} on frame ${frame}`, () => this.annotate(frame, object, mask, type));
        this.seconds += Number(request.seconds) + 1;
        this.measure();
        this.publish([frame]);
        if (request.propagate) void this.propagate();
        return { fields: { revision: this.revision, saved: true, takes: {} } };
      }
      case "object.add": {
        const id = Math.max(0, ...this.now.objects.map((o) => o.id)) + 1;
        this.change("added object", () => {
          this.now.objects = [...this.now.objects, newObject(id)];
        });
        this.publish([]);
        return { fields: { object: id } };
      }
      case "object.update": {
        const { id: _, kind: __, v: ___, object: ____, ...changes } = request as Request & { v: 1 };
        this.now.objects = this.now.objects.map((o) =>
          o.id === object ? { ...o, ...changes } : o,
        );
        this.publish([]);
        return undefined;
      }
      case "object.remove":
        this.change("removed object", () => {
          this.now.objects = this.now.objects.filter((o) => o.id !== object);
          this.now.masks = this.now.masks.map((m) => m.map((l) => (l === object ? 0 : l)));
        });
        this.publish(this.all());
        return undefined;
      case "object.merge": {
        const into = Number(request.into);
        this.change("merge of two objects", () => {
          this.now.objects = this.now.objects.filter((o) => o.id !== object);
          this.now.masks = this.now.masks.map((m) => m.map((l) => (l === object ? into : l)));
        });
        this.publish(this.all());
        return undefined;
      }
      case "annotation.remove":
        this.change("removed annotation", () => this.now.annotated.get(frame)?.delete(object));
        this.publish([frame]);
        return undefined;
      case "history.undo":
        return { fields: { label: this.travel(this.past, this.future) } };
      case "history.redo":
        return { fields: { label: this.travel(this.future, this.past) } };
      case "job.start":
        void this.propagate(request.frames as [number, number] | null);
        return { fields: { started: true } };
      case "job.pause":
      case "job.resume":
        this.job = { ...this.job, phase: request.kind === "job.pause" ? "paused" : "running" };
        this.push("job", { job: this.job });
        return { fields: { paused: true, resumed: true } };
      case "job.cancel":
        if (this.job.phase !== "idle") this.job = { ...this.job, phase: "cancelling" };
        this.push("job", { job: this.job });
        return { fields: { cancelled: true } };
      case "suggestion.snooze":
        this.snoozed.add(frame);
        this.publish([]);
        return undefined;
      case "points.propose": {
        const fresh = this.now.fresh.has(frame) || this.now.annotated.has(frame);
        return { fields: { points: fresh ? this.points() : [] } };
      }
      case "point.label":
        this.labelled.push({ x: Number(request.x), y: Number(request.y), label: request.label });
        this.revision++;
        return { fields: { revision: this.revision } };
      case "export.run":
        await sleep(300);
        return { fields: { path: `clip-${request.format}` } };
      default:
        return undefined;
    }
  }

  /** In two rows, all proposed as part of the object. */
  private points(): number[][] {
    const { width, height } = this.video;
    return Array.from({ length: 10 }, (_, i) => [
      Math.round((width * (1 + (i % 5))) / 6),
      Math.round((height * (1 + Math.floor(i / 5))) / 3),
      0,
    ]);
  }

  private capabilities(): Capabilities {
    return {
      predictor: this.options.learned ? "sam" : "classical",
      predictor_learned: this.options.learned,
      together: false,
      propagator: "flow",
      exports: ["davis", "youtube-vos", "coco", "youtube-vis", "overlay", "numpy"],
      types: this.options.types,
      ground_truth: true,
      session: "/clips/clip.evavos",
    };
  }

  private state(): State {
    const { now } = this;
    const frames = [...now.annotated.keys()].sort((a, b) => a - b);
    const stale: [number, number][] = [];
    for (const frame of this.all()) {
      if (now.fresh.has(frame) || frames.length === 0) continue;
      const last = stale.at(-1);
      if (last && last[1] === frame - 1) last[1] = frame;
      else stale.push([frame, frame]);
    }
    return {
      revision: this.revision,
      objects: now.objects,
      annotated: frames.map((frame) => {
        const here = now.annotated.get(frame) ?? new Map<number, Uint8Array>();
        const objects = [...here.keys()];
        const those = (mark: string) =>
          objects.filter((id) => this.now.marks.get(`${frame}:${id}`) === mark);
        return {
          frame,
          objects,
          absent: those("absent"),
          corrected: those("corrected"),
          verified: those("verified"),
        };
      }),
      revisions: this.revisions,
      quality: now.quality,
      object_quality: Object.fromEntries(
        now.objects.map(({ id }) => [
          id,
          now.quality.map(
            (q, f) => q && Math.max(0.2, q - 0.07 * (id - 1) * Math.abs(Math.sin(f))),
          ),
        ]),
      ),
      stale,
      lost: this.lost(stale),
      suggestion: this.suggest(0),
      alternatives: [this.suggest(1), this.suggest(2)].filter((each) => each !== null),
      seconds: this.seconds,
      curve: this.curve,
      undo: this.past.at(-1)?.label ?? null,
      redo: this.future.at(-1)?.label ?? null,
      saved: this.saved,
      kept: true,
      job: this.job,
    };
  }

  private lost(stale: [number, number][]): State["lost"] {
    const waits = (f: number) => stale.some(([first, last]) => f >= first && f <= last);
    const { masks, annotated, objects } = this.now;
    const drawn = objects.filter(({ id }) => [...annotated.values()].some((here) => here.has(id)));
    const empty = (id: number) =>
      this.all()
        .filter((f) => !waits(f) && !annotated.get(f)?.has(id) && !masks[f].includes(id))
        .map((f): [number, number] => [f, f]);
    return Object.fromEntries(drawn.map(({ id }) => [id, empty(id)]));
  }

  private suggest(rank: number): State["suggestion"] {
    const { quality, annotated, objects } = this.now;
    const open = this.all().filter(
      (f) => quality[f] !== null && !annotated.has(f) && !this.snoozed.has(f),
    );
    open.sort((a, b) => (quality[a] ?? 1) - (quality[b] ?? 1));
    const frame = open[rank * 9];
    if (frame === undefined || this.job.phase !== "idle") return null;
    return {
      frame,
      object: objects[0].id,
      annotation_type: "clicks",
      reason: "farthest from the frames you drew",
      predicted: quality[frame],
      expected_gain: 0.11,
      gain_of: "frame",
      seconds: 5.5,
    };
  }

  private change(label: string, make: () => void): void {
    this.past.push({ ...this.copy(), label });
    this.future = [];
    make();
    this.saved = Date.now() / 1000;
  }

  private copy(): Snapshot {
    const { now } = this;
    return {
      ...now,
      annotated: new Map([...now.annotated].map(([f, objects]) => [f, new Map(objects)])),
      marks: new Map(now.marks),
      masks: [...now.masks],
      quality: [...now.quality],
      fresh: new Set(now.fresh),
    };
  }

  private travel(from: Snapshot[], to: Snapshot[]): string | null {
    const target = from.pop();
    if (!target) return null;
    to.push({ ...this.copy(), label: target.label });
    this.now = target;
    this.publish(this.all());
    return target.label;
  }

  private annotate(frame: number, object: number, mask: Uint8Array, type: string): void {
    const corrects = this.now.masks[frame].includes(object) ? "corrected" : "drawn";
    const said = type === "verified" || type === "absent";
    this.now.marks.set(`${frame}:${object}`, said ? type : corrects);
    const here = this.now.annotated.get(frame) ?? new Map<number, Uint8Array>();
    this.now.annotated.set(frame, here.set(object, mask));
    this.now.masks[frame] = merge(this.now.masks[frame], object, mask);
    this.now.fresh = new Set([frame]);
    this.now.quality[frame] = 1;
  }

  /** Which other objects were annotated where on a frame. */
  private held(frame: number, object: number): Uint8Array {
    const others = [...(this.now.annotated.get(frame)?.keys() ?? [])].filter((o) => o !== object);
    return this.now.masks[frame].map((label) => (others.includes(label) ? label : 0));
  }

  private taken(frame: number, object: number, mask: Uint8Array): Record<string, number> {
    const takes: Record<string, number> = {};
    this.held(frame, object).forEach((label, i) => {
      if (label && mask[i]) takes[label] = (takes[label] ?? 0) + 1;
    });
    return takes;
  }

  private measure(): void {
    const known = this.now.quality.filter((q) => q !== null);
    const mean = known.length ? known.reduce((a, b) => a + b, 0) / known.length : null;
    const truth = mean === null ? null : mean * 0.94;
    this.curve = [...this.curve, { seconds: this.seconds, predicted: mean, true: truth }];
  }

  /** Carries the nearest annotated frame along, outwards, one frame at a time. */
  private async propagate(frames: [number, number] | null = null): Promise<void> {
    if (this.job.phase !== "idle") return;
    const annotated = [...this.now.annotated.keys()];
    const distance = (f: number) => Math.min(...annotated.map((a) => Math.abs(a - f)));
    const order = this.all()
      .filter((f) => !this.now.annotated.has(f))
      .filter((f) => !frames || (f >= frames[0] && f <= frames[1]))
      .sort((a, b) => distance(a) - distance(b));
    this.job = { ...IDLE, phase: "running", name: "propagate", total: order.length };
    for (const [done, frame] of order.entries()) {
      while (this.job.phase === "paused") await sleep(this.pace);
      if (this.job.phase === "cancelling") break;
      const source = annotated.reduce((a, b) =>
        Math.abs(a - frame) <= Math.abs(b - frame) ? a : b,
      );
      for (const [object, mask] of this.now.annotated.get(source) ?? []) {
        const moved = this.shift(mask, (frame - source) * 3);
        this.now.masks[frame] = merge(this.now.masks[frame], object, moved);
      }
      this.now.quality[frame] = Math.max(0.35, 0.97 - distance(frame) * 0.016);
      this.now.fresh.add(frame);
      const remaining = ((order.length - done) * this.pace) / 1000;
      this.job = { ...this.job, done: done + 1, remaining_seconds: remaining };
      this.publish([frame], this.job.phase === "running" ? "job" : "state");
      await sleep(this.pace);
    }
    this.job = IDLE;
    this.measure();
    this.publish([]);
    this.passes++;
  }

  private predict(frame: number, object: number, clicks: Click[], box: number[] | null) {
    const { width, height } = this.video;
    const mask = this.now.masks[frame].map((label) => (label === object ? 1 : 0));
    const disc = (cx: number, cy: number, rx: number, ry: number, value: 0 | 1) => {
      for (let y = Math.max(0, Math.ceil(cy - ry)); y <= Math.min(height - 1, cy + ry); y++) {
        const half = rx * Math.sqrt(1 - ((y - cy) / ry) ** 2);
        const left = Math.max(0, Math.round(cx - half));
        const right = Math.min(width, Math.round(cx + half));
        if (right > left) mask.fill(value, y * width + left, y * width + right);
      }
    };
    if (box) {
      const [x0, y0, x1, y1] = box;
      disc((x0 + x1) / 2, (y0 + y1) / 2, (x1 - x0) / 2, (y1 - y0) / 2, 1);
    }
    for (const [x, y, positive] of clicks) disc(x, y, 60, 60, positive);
    return mask;
  }

  private shift(mask: Uint8Array, dx: number): Uint8Array {
    const { width, height } = this.video;
    const moved = new Uint8Array(mask.length);
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        if (x - dx >= 0 && x - dx < width) moved[y * width + x] = mask[y * width + x - dx];
      }
    }
    return moved;
  }

  private all(): number[] {
    return Array.from({ length: this.video.n_frames }, (_, frame) => frame);
  }

  private pack(frames: number[]): { places: MaskPlace[]; buffer: Uint8Array } {
    const parts = frames.map((frame) => encodeRuns(this.now.masks[frame]));
    const places: MaskPlace[] = [];
    let offset = 0;
    parts.forEach((part, i) => {
      const frame = frames[i];
      places.push({ frame, revision: this.revisions[frame], offset, length: part.length });
      offset += part.length;
    });
    const all = new Uint32Array(offset);
    parts.forEach((part, i) => {
      all.set(part, places[i].offset);
    });
    return { places, buffer: bytes(all) };
  }

  /** Tells every view: masks of `frames`, and the job or the whole state. */
  private publish(frames: number[], what: "state" | "job" = "state"): void {
    this.revision++;
    for (const frame of frames) this.revisions[frame] = this.revision;
    this.revisions = [...this.revisions];
    if (frames.length > 0) {
      const { places, buffer } = this.pack(frames);
      this.push("mask.update", { masks: places }, [buffer]);
    }
    this.push(what, what === "job" ? { job: this.job } : { state: this.state() });
  }

  private push(kind: string, fields: object, buffers: Uint8Array[] = []): void {
    if (this.dead) return;
    for (const [name, credit] of this.views) {
      if (credit.sent - credit.acknowledged >= CREDIT_WINDOW) {
        throw new Error(`view ${name} left ${CREDIT_WINDOW} pushes unacknowledged.`);
      }
      credit.sent++;
      this.send({ push: credit.sent, view: name, kind, ...fields }, buffers.map(view));
    }
  }

  /** Thumbnails too: the browser makes them small. */
  private async frame(frame: number, quick: boolean): Promise<Answer> {
    const index = quick && this.decoding > 0 ? frame - (frame % KEY_EVERY) : frame;
    if (!quick) await sleep(this.decoding);
    const fields = { frame, mime: "image/jpeg", exact: !quick, index };
    return { fields, buffers: [await this.picture(index)] };
  }

  private async picture(frame: number): Promise<Uint8Array> {
    const { frames } = this.options;
    if (frames) {
      const reply = await fetch(frames.replace("{}", String(frame).padStart(5, "0")));
      return new Uint8Array(await reply.arrayBuffer());
    }
    const { width, height } = this.video;
    const canvas = new OffscreenCanvas(width, height);
    const context = canvas.getContext("2d");
    if (!context) throw new Error("no canvas.");
    const sky = context.createLinearGradient(0, 0, 0, height);
    sky.addColorStop(0, "#b9cfe0");
    sky.addColorStop(0.6, "#e9e2d2");
    sky.addColorStop(0.6, "#8c9a72");
    sky.addColorStop(1, "#5f6d4c");
    context.fillStyle = sky;
    context.fillRect(0, 0, width, height);
    for (const [color, x, y, radius] of [
      ["#b5533c", 240 + frame * 3, 250, 80],
      ["#3c5a78", 600 + frame * 3, 210, 55],
    ] as const) {
      context.fillStyle = color;
      context.beginPath();
      context.arc(x % width, y, radius, 0, 2 * Math.PI);
      context.fill();
    }
    const blob = await canvas.convertToBlob({ type: "image/jpeg", quality: 0.85 });
    return new Uint8Array(await blob.arrayBuffer());
  }
}

const newObject = (id: number): ObjectInfo => ({
  id,
  name: `object ${id}`,
  color: COLORS[(id - 1) % COLORS.length],
  visible: true,
  locked: false,
});

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

const bytes = (runs: Uint32Array) => new Uint8Array(runs.buffer, runs.byteOffset, runs.byteLength);

/** As a host hands it over: somewhere inside a larger buffer. */
function view(data: Uint8Array): DataView {
  const larger = new Uint8Array(data.byteLength + 3);
  larger.set(data, 3);
  return new DataView(larger.buffer, 3, data.byteLength);
}

function merge(labels: Uint8Array, object: number, mask: Uint8Array): Uint8Array {
  return labels.map((label, i) => (mask[i] ? object : label === object ? 0 : label));
}
