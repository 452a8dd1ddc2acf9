/** Time that somebody works in a view, told from what comes of pointer and keys. */

/**
 * A longer time without pointer or key is a pause, of which only this much counts; milliseconds.
 * Looking at a picture before the next click takes seconds, and nobody who works leaves the mouse
 * alone for longer than that; reading something else does. `robot/costs.py` has the same number.
 */
export const PAUSE = 10_000;

const SIGNS = ["pointerdown", "pointermove", "pointerup", "keydown", "wheel"] as const;

export class Activity {
  private total = 0;
  private latest: number;

  constructor(private readonly now: () => number = () => performance.now()) {
    this.latest = now();
  }

  /** Follows what comes to an element, until `abort`. */
  follow(root: HTMLElement, abort: AbortSignal): void {
    for (const sign of SIGNS) {
      const options = { signal: abort, capture: true, passive: true };
      root.addEventListener(sign, () => this.note(), options);
    }
  }

  /** Somebody did something. */
  note(): void {
    this.total = this.worked;
    this.latest = this.now();
  }

  /** Milliseconds without a sign of anybody. */
  get idle(): number {
    return this.now() - this.latest;
  }

  /** Milliseconds of work so far. */
  get worked(): number {
    return this.total + Math.min(this.idle, PAUSE);
  }
}
