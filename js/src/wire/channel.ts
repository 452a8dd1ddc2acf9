/**
 * One view's line to the kernel: requests with an id, an answer or an error, and cancel; pushes
 * in order, acknowledged so that the kernel never sends more than the view can take.
 *
 * There is no timeout: a busy kernel answers late, and the view says that it waits. A kernel that
 * was restarted or shut down never answers; the host then takes no message for it any more.
 */

import { type CommonKind, CREDIT_WINDOW, MAX_UPLOAD_BYTES, PROTOCOL_VERSION } from "./catalogue";

/** An error the kernel answered with. */
export class KernelError extends Error {
  constructor(
    readonly code: string,
    message: string,
  ) {
    super(message);
    this.name = "KernelError";
  }
}

/** Whether an error says that the kernel serves this view no more, though it may be there. */
export const isClosed = (error: unknown): boolean =>
  error instanceof KernelError && error.code === "closed";

/** Whether an error says that nothing is answered any more: the kernel is gone, or closed the widget. */
export const isGone = (error: unknown): boolean =>
  isClosed(error) || (error instanceof KernelError && error.code === "gone");

export const isAbort = (error: unknown): boolean =>
  error instanceof DOMException && error.name === "AbortError";

export type Send = (content: object, buffers: ArrayBufferView[]) => void;

/** Takes what a push carries. */
export type PushHandler = (payload: never, buffers: DataView[]) => void;

export interface Reply<Fields = object> {
  fields: Fields;
  buffers: DataView[];
}

export interface RequestOptions {
  buffers?: ArrayBufferView[];
  signal?: AbortSignal;
  /** It may take long: a kernel that does not answer it yet is not called busy. */
  slow?: boolean;
}

interface Pending {
  slow: boolean;
  since: number;
  settle(content: Incoming, buffers: DataView[]): void;
  give(error: unknown): void;
}

/** A message from the kernel before it is known to be a reply or a push. */
export interface Incoming {
  id?: string | null;
  ok?: boolean;
  error?: { code: string; message: string };
  push?: number;
  view?: string;
  kind?: string;
}

/** Milliseconds after which the last pushes of a burst are acknowledged. */
const ACK_DELAY = 50;

export class Channel {
  private readonly pending = new Map<string, Pending>();
  private next = 1;
  private handled = 0;
  private acknowledged = 0;
  private ackTimer: ReturnType<typeof setTimeout> | undefined;
  private closed = false;

  /**
   * @param view name of the view, unique over all pages that show the widget
   * @param handlers by the kind of push
   * @param changed called when a request goes out or is settled
   * @param failed called with what a push handler throws
   */
  constructor(
    readonly view: string,
    private readonly send: Send,
    private readonly handlers: ReadonlyMap<string, PushHandler>,
    private readonly changed: () => void,
    private readonly failed: (error: unknown) => void,
  ) {}

  /** Asks the kernel; rejects with a `KernelError`, or an `AbortError` once `signal` aborts. */
  request(
    kind: string,
    fields: object,
    { buffers = [], signal, slow = false }: RequestOptions = {},
  ): Promise<Reply> {
    const bytes = buffers.reduce((sum, buffer) => sum + buffer.byteLength, 0);
    if (bytes > MAX_UPLOAD_BYTES) {
      return Promise.reject(
        new KernelError(
          "too_large",
          `the mask takes ${bytes} bytes and ${MAX_UPLOAD_BYTES} can be sent; smooth its outline.`,
        ),
      );
    }
    if (signal?.aborted) return Promise.reject(abortError());
    const id = this.nextId();
    return new Promise((resolve, reject) => {
      const onAbort = () => {
        if (!this.pending.delete(id)) return;
        this.changed();
        this.post("cancel", { target: id });
        reject(abortError());
      };
      this.pending.set(id, {
        slow,
        since: performance.now(),
        settle: (content, received) => {
          signal?.removeEventListener("abort", onAbort);
          if (content.ok) resolve({ fields: content, buffers: received });
          else {
            const error = content.error ?? {
              code: "malformed",
              message: "a reply without a cause",
            };
            reject(new KernelError(error.code, error.message));
          }
        },
        give: (error) => {
          signal?.removeEventListener("abort", onAbort);
          reject(error);
        },
      });
      signal?.addEventListener("abort", onAbort, { once: true });
      try {
        this.send({ v: PROTOCOL_VERSION, id, kind, ...fields }, buffers);
      } catch {
        this.lose();
      }
      this.changed();
    });
  }

  /** Takes a message if it is meant for this view. */
  receive(content: Incoming, buffers: DataView[]): void {
    if (this.closed) return;
    const { id, error } = content;
    if (id !== undefined) {
      const pending = this.pending.get(id ?? "");
      if (!pending) {
        // Nobody has to ask to be told this.
        if (error?.code === "closed") this.failed(new KernelError(error.code, error.message));
        return;
      }
      this.pending.delete(id ?? "");
      pending.settle(content, buffers);
      this.changed();
    } else if (content.push !== undefined && content.view === this.view) {
      this.dispatch(content, buffers);
      this.handled = Math.max(this.handled, content.push);
      this.acknowledge();
    }
  }

  /** Milliseconds the oldest unanswered request has waited, of those that are to be quick. */
  waiting(now: number): number {
    let longest = 0;
    for (const { slow, since } of this.pending.values()) {
      if (!slow) longest = Math.max(longest, now - since);
    }
    return longest;
  }

  /** Finds out whether the kernel is still there, with a message that asks for nothing. */
  probe(): void {
    if (this.post("cancel", { target: `${this.view}:0` })) return;
    this.lose();
    this.changed();
  }

  get busy(): boolean {
    return this.pending.size > 0;
  }

  /** Says goodbye; everything that is unanswered is dropped without a word. */
  close(): void {
    this.closed = true;
    clearTimeout(this.ackTimer);
    this.pending.clear();
    this.post("bye", { view: this.view });
  }

  /** Gives up whatever waits for a kernel that is no more. */
  private lose(): void {
    const left = [...this.pending.values()];
    this.pending.clear();
    const error = new KernelError("gone", "Disconnected: run the cell again.");
    for (const pending of left) pending.give(error);
  }

  private dispatch(content: Incoming, buffers: DataView[]): void {
    const handler = this.handlers.get(content.kind ?? "");
    try {
      if (!handler) throw new Error(`the kernel pushed "${content.kind}", which is unknown here.`);
      handler(content as never, buffers);
    } catch (error) {
      this.failed(error);
    }
  }

  /** Half a window is acknowledged at once, what is left of a burst a little later. */
  private acknowledge(): void {
    clearTimeout(this.ackTimer);
    if (this.handled - this.acknowledged >= CREDIT_WINDOW / 2) this.postAck();
    else this.ackTimer = setTimeout(() => this.postAck(), ACK_DELAY);
  }

  private postAck(): void {
    if (this.handled === this.acknowledged) return;
    this.acknowledged = this.handled;
    this.post("ack", { view: this.view, push: this.handled });
  }

  /** Sends a request whose answer does not matter; whether the host took it. */
  private post(kind: CommonKind, fields: object): boolean {
    try {
      this.send({ v: PROTOCOL_VERSION, id: this.nextId(), kind, ...fields }, []);
      return true;
    } catch {
      return false;
    }
  }

  private nextId(): string {
    return `${this.view}:${this.next++}`;
  }
}

const abortError = () => new DOMException("the request was given up", "AbortError");
