/** The model an anywidget host would give, with a kernel in the same page. */

import type { Incoming } from "../src/rpc";
import type { Traits } from "../src/synced";
import type { FakeKernel } from "./fake-kernel";

type Callback = (...args: never[]) => void;

export class FakeModel {
  private readonly listeners = new Map<string, Set<Callback>>();
  private readonly traits: Traits;

  constructor(
    private readonly kernel: FakeKernel,
    traits: Partial<Traits> = {},
  ) {
    this.traits = {
      video: kernel.video,
      frame: 0,
      active_object: 0,
      tool: "auto",
      display: { opacity: 0.5, contour: true, onion: false, difference: false, palette: "safe" },
      target: null,
      read_only: false,
      theme: "auto",
      ...traits,
    };
    kernel.send = (content, buffers) => this.emit("msg:custom", content, buffers);
  }

  get listening(): number {
    return [...this.listeners.values()].reduce((sum, set) => sum + set.size, 0);
  }

  get<K extends keyof Traits>(name: K): Traits[K] {
    return this.traits[name];
  }

  set<K extends keyof Traits>(name: K, value: Traits[K]): void {
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

  send(content: object, _callbacks: unknown, buffers: ArrayBufferView[] = []): void {
    const copies = buffers.map((b) => new Uint8Array(b.buffer, b.byteOffset, b.byteLength).slice());
    queueMicrotask(() => this.kernel.receive(structuredClone(content) as Incoming, copies));
  }

  private emit(event: string, ...args: unknown[]): void {
    for (const callback of this.listeners.get(event) ?? []) callback(...(args as never[]));
  }
}
