/**
 * Decoded pictures, the most useful ones within a byte bound.
 *
 * A few requests are on the way at a time: the frame that is wanted first, then those ahead in
 * the direction of travel. Prefetches that a jump has made useless are given up; a frame that
 * was itself wanted is let through for a moment, so that fast scrubbing still shows what it
 * passes. Where the wanted one takes longer, as in a video file with few key frames, a glimpse
 * of its moment is asked for: a smaller picture of it, or of a frame near it.
 */

export interface Picture {
  readonly width: number;
  readonly height: number;
  close(): void;
}

/** A picture to look at until the exact one has come. */
export interface Glimpse<P extends Picture> {
  /** Whose picture it is. */
  readonly frame: number;
  readonly picture: P;
}

export interface FrameSource<P extends Picture> {
  load(frame: number, signal: AbortSignal): Promise<P>;
  /** Something of the moment of a frame, at once; without it, only exact pictures are shown. */
  glimpse?(frame: number, signal: AbortSignal): Promise<Glimpse<P>>;
  /** A picture of a frame has come: the exact one or a glimpse. */
  loaded(frame: number): void;
  failed(frame: number, error: unknown): void;
}

export interface FrameLimits {
  /** Bytes of decoded pictures, 4 per pixel. */
  bytes: number;
  /** Requests on the way at a time. */
  inFlight: number;
  /** Frames fetched ahead of the wanted one. */
  ahead: number;
}

export const DEFAULT_LIMITS: FrameLimits = { bytes: 256 * 2 ** 20, inFlight: 3, ahead: 12 };

/** Milliseconds before a glimpse is asked for: most frames come sooner. */
const GLIMPSE_AFTER = 40;
/** Within so many milliseconds a frame is waited for, rather than another one shown. */
const SOON = 200;

interface Flight {
  abort: AbortController;
  wanted: boolean;
  since: number;
}

export class Frames<P extends Picture> {
  /** In order of use, the latest last. */
  private readonly cache = new Map<number, P>();
  private readonly flights = new Map<number, Flight>();
  private readonly refused = new Set<number>();
  private readonly leave = new AbortController();
  private glimpsed: Glimpse<P> | null = null;
  private glimpsing = false;
  private timer: ReturnType<typeof setTimeout> | undefined;
  /** Milliseconds that the last frame took that was wanted and not at hand. */
  private usual = 0;
  private bytes = 0;
  /** Bytes of the largest picture; 0 before the first. */
  private largest = 0;
  private wanted = 0;
  private direction: 1 | -1 = 1;
  private closed = false;

  constructor(
    private readonly source: FrameSource<P>,
    private readonly count: number,
    private readonly limits: FrameLimits = DEFAULT_LIMITS,
  ) {}

  /** The picture of a frame: the exact one, or else a glimpse of this very frame. */
  get(frame: number): P | undefined {
    const picture = this.cache.get(frame);
    if (!picture) return this.glimpsed?.frame === frame ? this.glimpsed.picture : undefined;
    this.cache.delete(frame);
    this.cache.set(frame, picture);
    return picture;
  }

  /** Whether the picture of a frame is there as it is. */
  isExact(frame: number): boolean {
    return this.cache.has(frame);
  }

  /** What there is of the moment of a frame. */
  near(frame: number): Glimpse<P> | null {
    const picture = this.get(frame);
    return picture ? { frame, picture } : this.glimpsed;
  }

  /** Asks for `frame`, and for those after it in `direction`. A failed frame is tried again. */
  want(frame: number, direction: 1 | -1): void {
    this.wanted = frame;
    this.direction = direction;
    this.refused.delete(frame);
    const window = new Set(this.window());
    const now = performance.now();
    for (const [other, flight] of this.flights) {
      const passes = flight.wanted && now - flight.since < SOON;
      if (!passes && !window.has(other)) {
        flight.abort.abort();
        this.flights.delete(other);
      }
    }
    const flight = this.flights.get(frame);
    if (flight) flight.wanted = true;
    this.fill();
    if (this.cache.has(frame)) this.dropGlimpse();
    else if (this.source.glimpse) {
      this.timer ??= setTimeout(() => {
        this.timer = undefined;
        if (!this.glimpsing) void this.glimpse();
      }, GLIMPSE_AFTER);
    }
  }

  /** Frees every picture and gives up every request. */
  close(): void {
    this.closed = true;
    clearTimeout(this.timer);
    this.leave.abort();
    this.dropGlimpse();
    for (const flight of this.flights.values()) flight.abort.abort();
    this.flights.clear();
    for (const picture of this.cache.values()) picture.close();
    this.cache.clear();
    this.bytes = 0;
  }

  /** The wanted frame and those ahead that fit beside it, the next one in any case. */
  private *window(): Generator<number> {
    const fit = this.largest > 0 ? Math.floor(this.limits.bytes / this.largest) - 1 : Infinity;
    const ahead = Math.min(this.limits.ahead, Math.max(1, fit));
    for (let step = 0; step <= ahead; step++) {
      const frame = this.wanted + step * this.direction;
      if (frame >= 0 && frame < this.count) yield frame;
    }
  }

  private fill(): void {
    for (const frame of this.window()) {
      if (this.closed || this.flights.size >= this.limits.inFlight) return;
      if (!this.cache.has(frame) && !this.flights.has(frame) && !this.refused.has(frame)) {
        void this.fetch(frame);
      }
    }
  }

  private async fetch(frame: number): Promise<void> {
    const begun = performance.now();
    const wanted = frame === this.wanted;
    const flight: Flight = { abort: new AbortController(), wanted, since: begun };
    this.flights.set(frame, flight);
    try {
      const picture = await this.source.load(frame, flight.abort.signal);
      if (flight.abort.signal.aborted) {
        picture.close();
        return;
      }
      if (wanted) this.usual = performance.now() - begun;
      this.flights.delete(frame);
      this.keep(frame, picture);
      this.source.loaded(frame);
      if (frame === this.wanted) this.dropGlimpse();
    } catch (error) {
      if (flight.abort.signal.aborted) return;
      this.flights.delete(frame);
      this.refused.add(frame);
      this.source.failed(frame, error);
    }
    this.fill();
  }

  /** One glimpse is on its way at a time, and then that of the frame which is wanted by then. */
  private async glimpse(): Promise<void> {
    const { wanted } = this;
    const ask = this.source.glimpse;
    if (!ask || this.closed || this.get(wanted) || this.refused.has(wanted)) return;
    this.glimpsing = true;
    const begun = performance.now();
    try {
      const came = await ask.call(this.source, wanted, this.leave.signal);
      const rest = SOON - (performance.now() - begun);
      if (came.frame !== wanted && this.usual < SOON && rest > 0) await sleep(rest);
      this.take(came);
    } catch {
      // It was only a help: the exact one is on its way, and says what is wrong.
    }
    this.glimpsing = false;
    if (this.wanted !== wanted) void this.glimpse();
  }

  private take(came: Glimpse<P>): void {
    const away = ({ frame }: Glimpse<P>) => Math.abs(frame - this.wanted);
    const late = this.closed || this.cache.has(this.wanted) || this.cache.has(came.frame);
    if (late || (this.glimpsed && away(this.glimpsed) <= away(came))) {
      came.picture.close();
      if (!this.closed && this.cache.has(came.frame)) this.source.loaded(came.frame);
      return;
    }
    this.dropGlimpse();
    this.glimpsed = came;
    this.source.loaded(came.frame);
  }

  private dropGlimpse(): void {
    this.glimpsed?.picture.close();
    this.glimpsed = null;
  }

  private keep(frame: number, picture: P): void {
    this.cache.set(frame, picture);
    this.bytes += size(picture);
    this.largest = Math.max(this.largest, size(picture));
    // What is dropped of the window would be fetched again at once.
    const spared = new Set([...this.window(), frame]);
    for (const [oldest, other] of this.cache) {
      if (this.bytes <= this.limits.bytes) break;
      if (spared.has(oldest)) continue;
      this.cache.delete(oldest);
      this.bytes -= size(other);
      other.close();
    }
  }
}

const sleep = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

const size = (picture: Picture): number => picture.width * picture.height * 4;
