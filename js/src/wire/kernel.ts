/** What the kernel says: its state, its job, its log; and asking it, with every error shown. */

import { batch, computed, signal } from "@preact/signals";
import {
  Channel,
  type Incoming,
  isAbort,
  isGone,
  type Reply,
  type RequestOptions,
  type Send,
} from "./channel";
import type {
  Capabilities,
  Job,
  LogLine,
  MaskPlace,
  ObjectInfo,
  RequestKind,
  Requests,
  State,
} from "./protocol";

/** A request that waits longer is a kernel that is busy; milliseconds. */
const BUSY_AFTER = 1000;
const WATCH_INTERVAL = 250;
/** While it is busy, it is made sure so often that it still exists; milliseconds. */
const PROBE_INTERVAL = 5000;
/** Log lines kept. */
const LOG_LENGTH = 200;

const IDLE: Job = {
  phase: "idle",
  name: "",
  done: 0,
  total: 0,
  remaining_seconds: null,
  message: "",
};

export class Kernel {
  readonly state = signal<State | null>(null);
  readonly capabilities = signal<Capabilities | null>(null);
  readonly job = signal<Job>(IDLE);
  readonly log = signal<LogLine[]>([]);
  /** Whether a request has waited for more than a second. */
  readonly busy = signal(false);
  /** Whether the kernel was restarted or shut down: this view hears of nothing any more. */
  readonly gone = signal(false);
  /** The objects in the colours they are shown in. */
  readonly objects = computed<ObjectInfo[]>(() =>
    (this.state.value?.objects ?? []).map(this.coloured),
  );

  private readonly channel: Channel;
  private watch: ReturnType<typeof setInterval> | undefined;
  private probed = 0;

  constructor(
    view: string,
    send: Send,
    masks: (places: MaskPlace[], buffer: DataView | undefined) => void,
    private readonly coloured: (object: ObjectInfo) => ObjectInfo = (object) => object,
  ) {
    this.channel = new Channel(
      view,
      send,
      {
        state: ({ state }) => this.setState(state),
        "mask.update": (payload, buffers) => masks(payload.masks, buffers[0]),
        job: ({ job }) => {
          this.job.value = job;
        },
        log: ({ level, message, time }) => this.note(level, message, time),
      },
      () => this.watchPending(),
      (error) => this.fail(error),
    );
  }

  /** Introduces the view; everything it shows comes from the answer. */
  async hello(): Promise<void> {
    const reply = await this.ask("hello", { view: this.channel.view });
    if (!reply) return;
    batch(() => {
      this.capabilities.value = reply.fields.capabilities;
      this.setState(reply.fields.state);
    });
  }

  receive(content: Incoming, buffers: DataView[]): void {
    this.channel.receive(content, buffers);
  }

  /** Asks and rejects, for callers that have something to do about an error. */
  request<K extends RequestKind>(
    kind: K,
    fields: Requests[K],
    options?: RequestOptions,
  ): Promise<Reply<K>> {
    return this.channel.request(kind, fields, options);
  }

  /** Asks; an error goes to the log and the answer is null. */
  async ask<K extends RequestKind>(
    kind: K,
    fields: Requests[K],
    options?: RequestOptions,
  ): Promise<Reply<K> | null> {
    try {
      return await this.request(kind, fields, options);
    } catch (error) {
      this.fail(error);
      return null;
    }
  }

  /** Shows an error, unless it only says that something was given up. */
  fail(error: unknown): void {
    if (isAbort(error)) return;
    if (isGone(error)) {
      // Whatever is tried from now on fails alike; once is enough to read.
      if (this.gone.value) return;
      this.lost();
    }
    this.note("error", error instanceof Error ? error.message : String(error));
  }

  note(level: LogLine["level"], message: string, time = Date.now() / 1000): void {
    this.log.value = [...this.log.value, { level, message, time }].slice(-LOG_LENGTH);
  }

  close(): void {
    clearInterval(this.watch);
    this.channel.close();
  }

  private setState(state: State): void {
    if (state.revision < (this.state.value?.revision ?? 0)) return;
    batch(() => {
      this.state.value = state;
      this.job.value = state.job;
    });
  }

  private lost(): void {
    batch(() => {
      this.gone.value = true;
      this.job.value = IDLE;
    });
  }

  private watchPending(): void {
    if (!this.channel.busy) {
      clearInterval(this.watch);
      this.watch = undefined;
      this.busy.value = false;
      return;
    }
    const look = () => {
      const now = performance.now();
      const busy = this.channel.waiting(now) > BUSY_AFTER;
      if (busy && now - this.probed > PROBE_INTERVAL) {
        this.probed = now;
        this.channel.probe();
      } else this.busy.value = busy;
    };
    look();
    this.watch ??= setInterval(look, WATCH_INTERVAL);
  }
}
