/** Which frame is wanted: stepping, jumping, scrubbing and playing. */

import { computed, type Signal } from "@preact/signals";
import type { Video } from "../wire/catalogue";

/** What the clock needs; `requestAnimationFrame` in the browser, a hand-turned one in tests. */
export interface Ticker {
  request(callback: (now: number) => void): number;
  cancel(handle: number): void;
}

/** The traits that say which video it is, and where in it. */
export interface VideoTraits {
  readonly video: { readonly value: Video };
  readonly frame: { readonly signal: Signal<number>; set(frame: number): void };
}

/** What one view shows just now. */
export interface Showing {
  /** The frame whose picture is on the screen. */
  readonly shown: Signal<number>;
  readonly playing: Signal<boolean>;
}

export class Navigation {
  /** The frame that is wanted; the one on the screen follows. */
  readonly frame = computed(() => clamp(this.synced.frame.signal.value, this.count));
  direction: 1 | -1 = 1;
  private handle: number | undefined;
  private due = 0;

  constructor(
    private readonly synced: VideoTraits,
    private readonly store: Showing,
    private readonly ticker: Ticker,
  ) {}

  get count(): number {
    return this.synced.video.value.n_frames;
  }

  goTo(frame: number): void {
    if (!Number.isFinite(frame)) return;
    const to = clamp(frame, this.count);
    const from = this.frame.peek();
    if (to === from) return;
    this.direction = to > from ? 1 : -1;
    this.synced.frame.set(to);
  }

  /** A jump by hand: it ends playing. */
  jump(frame: number): void {
    this.pause();
    this.goTo(frame);
  }

  step(by: number): void {
    this.jump(this.frame.peek() + by);
  }

  togglePlay(): void {
    if (this.store.playing.value) this.pause();
    else this.play();
  }

  pause(): void {
    if (this.handle !== undefined) this.ticker.cancel(this.handle);
    this.handle = undefined;
    this.store.playing.value = false;
  }

  /** Playing ends at the frame that is on the screen: the hand is on its picture. */
  hold(): void {
    if (this.store.playing.value) this.jump(this.store.shown.peek());
  }

  private play(): void {
    if (this.frame.peek() === this.count - 1) this.goTo(0);
    this.store.playing.value = true;
    this.due = 0;
    this.handle = this.ticker.request(this.tick);
  }

  /** The next frame comes when it is due and the last one has reached the screen. */
  private readonly tick = (now: number) => {
    const period = 1000 / (this.synced.video.value.fps || 24);
    if (this.due === 0) this.due = now + period;
    const frame = this.frame.peek();
    if (now >= this.due && this.store.shown.peek() === frame) {
      if (frame === this.count - 1) {
        this.pause();
        return;
      }
      this.goTo(frame + 1);
      this.due = Math.max(this.due + period, now);
    }
    this.handle = this.ticker.request(this.tick);
  };
}

const clamp = (frame: number, count: number) =>
  Math.min(Math.max(0, Math.round(frame)), Math.max(0, count - 1));
