/** The models an anywidget host would give. */

import type { Traits } from "../src/annotator/traits";
import type { Incoming } from "../src/wire/channel";
import type { FakeKernel } from "./fake-kernel";

type Callback = (...args: never[]) => void;

/** Traits and listeners, with nobody at the other end. */
export class PlainModel<T extends object> {
  /** What was sent as messages, in order. */
  readonly sent: object[] = [];
  private readonly listeners = new Map<string, Set<Callback>>();

  constructor(private readonly traits: T) {}

  get listening(): number {
    return [...this.listeners.values()].reduce((sum, set) => sum + set.size, 0);
  }

  get<K extends keyof T>(name: K): T[K] {
    return this.traits[name];
  }

  set<K extends keyof T & string>(name: K, value: T[K]): void {
    if (this.traits[name] === value) return;
    this.traits[name] = value;
    this.emit(`change:${name}`);
  }

  save_changes(): void {}

  on(event: string, callback: Callback): void {
    const set = this.listeners.get(event) ?? new Set();
    this.listeners.set(event, set.add(callback));
  }

  off(event: string, callback: Callback): void {
    this.listeners.get(event)?.delete(callback);
  }

  send(content: object, _callbacks?: unknown, _buffers?: ArrayBufferView[]): void {
    this.sent.push(content);
  }

  protected emit(event: string, ...args: unknown[]): void {
    for (const callback of this.listeners.get(event) ?? []) callback(...(args as never[]));
  }
}

/** The annotator's, with a kernel in the same page. */
export class FakeModel extends PlainModel<Traits> {
  constructor(
    private readonly kernel: FakeKernel,
    traits: Partial<Traits> = {},
  ) {
    super({
      video: kernel.video,
      frame: 0,
      active_object: 0,
      tool: "auto",
      display: { opacity: 0.5, contour: true, onion: false, difference: false, palette: "safe" },
      target: null,
      read_only: false,
      theme: "auto",
      ...traits,
    });
    kernel.send = (content, buffers) => this.emit("msg:custom", content, buffers);
  }

  /** The host gave the connection up. */
  cut = false;

  /** As a host does once it knows that the kernel is no more. */
  disconnect(): void {
    this.cut = true;
    this.emit("comm_live_update");
  }

  override send(content: object, _callbacks: unknown, buffers: ArrayBufferView[] = []): void {
    if (this.cut) throw new Error("Cannot send");
    const copies = buffers.map((b) => new Uint8Array(b.buffer, b.byteOffset, b.byteLength).slice());
    queueMicrotask(() => this.kernel.receive(structuredClone(content) as Incoming, copies));
  }
}
