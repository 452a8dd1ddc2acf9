/** What the kernel says: its state and its log; and asking it, with every error shown. */

import type { AnyModel } from "@anywidget/types";
import { batch, signal } from "@preact/signals";
import type {
  Catalogue,
  CommonReplies,
  CommonRequests,
  LogLine,
  Pushes,
  PushKind,
  ReplyTo,
  RequestKind,
  Requests,
} from "./catalogue";
import {
  Channel,
  type Incoming,
  isAbort,
  isClosed,
  isGone,
  type PushHandler,
  type Reply,
  type RequestOptions,
  type Send,
} from "./channel";

/** A request that waits longer is a kernel that is busy; milliseconds. */
const BUSY_AFTER = 1000;
const WATCH_INTERVAL = 250;
/** While it is busy, it is made sure so often that it still exists; milliseconds. */
const PROBE_INTERVAL = 5000;
/** How often it is made sure that the kernel listens, while somebody wants to know; milliseconds. */
const BEAT = 250;
/**
 * A kernel that has not answered for so long does not listen; milliseconds. With the beat before
 * the ping and the one after this that is seven beats, for a promise of two seconds.
 */
const SILENT_AFTER = 1400;
/** The host is asked whether there is a kernel where a ping has waited for so long; milliseconds. */
const PROBE_AFTER = 1000;
type FrameRequest = CommonRequests["frame.get"];

/** Log lines kept. */
const LOG_LENGTH = 200;

/** One view's kernel, which speaks the common catalogue and that of its widget. */
export class Kernel<C extends Catalogue> {
  readonly state = signal<C["state"] | null>(null);
  readonly capabilities = signal<C["capabilities"] | null>(null);
  readonly log = signal<LogLine[]>([]);
  /** What went wrong last, until something is tried anew. */
  readonly trouble = signal<string | null>(null);
  /** Whether a request has waited for more than a second. */
  readonly busy = signal(false);
  /** Whether this view hears of nothing any more: the kernel was restarted, shut down, or closed it. */
  readonly gone = signal(false);

  /** Whether the kernel closed it: its session is closed, or open in another cell. */
  readonly closed = signal(false);

  /** Whether the kernel does not listen: it is busy with another cell, or no more. */
  readonly silent = signal(false);

  private readonly handlers = new Map<string, PushHandler>();
  private readonly channel: Channel;
  private readonly asking = new Set<string>();
  private watch: ReturnType<typeof setInterval> | undefined;
  private probed = 0;
  private heart: ReturnType<typeof setInterval> | undefined;
  /** When the ping went out that has no answer yet, and when the host is asked about it next. */
  private pinged: number | null = null;
  private nextProbe = 0;

  /** @param view name of the view, unique over all pages */
  constructor(
    private readonly view: string,
    send: Send,
  ) {
    this.channel = new Channel(
      view,
      send,
      this.handlers,
      () => this.watchPending(),
      (error) => this.fail(error),
    );
    this.handlers.set("state", ({ state }: { state: C["state"] }) => batch(() => this.take(state)));
    this.handlers.set("log", ({ level, message, time }: LogLine) =>
      this.note(level, message, time),
    );
  }

  /** Says what is done with a kind of push of the widget's own. */
  on<K extends PushKind<C>>(
    kind: K,
    handler: (payload: Pushes<C>[K], buffers: DataView[]) => void,
  ): void {
    this.handlers.set(kind, handler);
  }

  /** Introduces the view; everything it shows comes from the answer. */
  async hello(): Promise<void> {
    const reply = await this.orNull(this.channel.request("hello", { view: this.view }));
    if (!reply) return;
    const { state, capabilities } = reply.fields as CommonReplies<C>["hello"];
    batch(() => {
      this.capabilities.value = capabilities;
      this.take(state);
    });
  }

  /**
   * Finds out from now on whether the kernel listens, while there is somebody to be told. One ping
   * waits at a time, and none is sent where nobody is: an idle kernel stays idle.
   *
   * @param wanted whether somebody wants to know
   */
  listen(wanted: () => boolean): void {
    this.heart = setInterval(() => this.beat(wanted), BEAT);
  }

  /** Hears from the host that the connection is another now, before anything is asked. */
  follow(model: Pick<AnyModel, "on" | "off">, abort: AbortSignal): void {
    const reconsider = () => this.reconsider();
    model.on("comm_live_update", reconsider);
    abort.addEventListener("abort", () => model.off("comm_live_update", reconsider));
  }

  /** Is the kernel still there? */
  private reconsider(): void {
    if (!this.gone.peek()) this.channel.probe();
  }

  /** The picture of a frame, at most `width` pixels wide where that is given. */
  async frame(
    frame: number,
    { width, ...options }: RequestOptions & { width?: number } = {},
  ): Promise<ImageBitmap> {
    const wanted = width === undefined ? { frame } : { frame, width };
    return (await this.getFrame(wanted, options)).picture;
  }

  /** Something of the moment of a frame, at once: a view-sized picture, and whose it is. */
  glimpse(
    frame: number,
    options?: RequestOptions,
  ): Promise<{ frame: number; picture: ImageBitmap }> {
    return this.getFrame({ frame, quick: true }, options);
  }

  receive(content: Incoming, buffers: DataView[]): void {
    this.channel.receive(content, buffers);
  }

  /** Asks and rejects, for callers that have something to do about an error. */
  request<K extends RequestKind<C>>(
    kind: K,
    fields: Requests<C>[K],
    options?: RequestOptions,
  ): Promise<Reply<ReplyTo<C, K>>> {
    return this.channel.request(kind, fields as object, options) as never;
  }

  /** Asks; an error goes to the log and the answer is null. */
  ask<K extends RequestKind<C>>(
    kind: K,
    fields: Requests<C>[K],
    options?: RequestOptions,
  ): Promise<Reply<ReplyTo<C, K>> | null> {
    return this.orNull(this.request(kind, fields, options));
  }

  /** As `ask`, unless the very same waits for its answer: pressed twice, it is meant once. */
  async askOnce<K extends RequestKind<C>>(kind: K, fields: Requests<C>[K]): Promise<void> {
    const question = JSON.stringify([kind, fields]);
    if (this.asking.has(question)) return;
    this.asking.add(question);
    await this.ask(kind, fields);
    this.asking.delete(question);
  }

  /** Shows an error, unless it only says that something was given up. */
  fail(error: unknown): void {
    if (isAbort(error)) return;
    if (isGone(error)) {
      // Whatever is tried from now on fails alike; once is enough to read.
      if (this.gone.value) return;
      batch(() => {
        this.closed.value = isClosed(error);
        this.lost();
      });
    }
    this.note("error", error instanceof Error ? error.message : String(error));
  }

  note(level: LogLine["level"], message: string, time = Date.now() / 1000): void {
    if (level === "error") this.trouble.value = message;
    this.log.value = [...this.log.value, { level, message, time }].slice(-LOG_LENGTH);
  }

  close(): void {
    clearInterval(this.watch);
    clearInterval(this.heart);
    this.channel.close();
  }

  /** Takes a state, unless a newer one has come before it; whether it did. */
  protected take(state: C["state"]): boolean {
    if ((state.revision ?? 0) < (this.state.value?.revision ?? 0)) return false;
    this.state.value = state;
    return true;
  }

  /** The kernel is no more, or not for this view. */
  protected lost(): void {
    this.gone.value = true;
    this.silent.value = false;
  }

  private async getFrame(wanted: FrameRequest, options?: RequestOptions) {
    const { fields, buffers } = await this.channel.request("frame.get", wanted, options);
    const { mime, index } = fields as CommonReplies<C>["frame.get"];
    const { buffer, byteOffset, byteLength } = buffers[0];
    const bytes = new Uint8Array(buffer as ArrayBuffer, byteOffset, byteLength);
    const picture = await createImageBitmap(new Blob([bytes], { type: mime }));
    return { frame: index, picture };
  }

  private beat(wanted: () => boolean): void {
    if (this.gone.peek()) return;
    const now = performance.now();
    if (this.pinged !== null) {
      const waited = now - this.pinged;
      this.silent.value = waited >= SILENT_AFTER;
      if (waited < this.nextProbe) return;
      // Ever more seldom: a kernel that works for hours is not to find thousands of messages.
      this.nextProbe *= 2;
      this.reconsider();
    } else if (wanted()) {
      this.pinged = now;
      this.nextProbe = PROBE_AFTER;
      this.channel.request("ping", {}, { slow: true }).then(
        () => this.answered(),
        (error) => {
          this.answered();
          this.fail(error);
        },
      );
    }
  }

  private answered(): void {
    this.pinged = null;
    this.silent.value = false;
  }

  private async orNull<R>(reply: Promise<R>): Promise<R | null> {
    try {
      return await reply;
    } catch (error) {
      this.fail(error);
      return null;
    }
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
