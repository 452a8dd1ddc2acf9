/**
 * Decoded pictures, the most useful ones within a byte bound.
 *
 * A few requests are on the way at a time: the frame that is wanted first, then those ahead in
 * the direction of travel. Prefetches that a jump has made useless are given up; a frame that
 * was itself wanted is let through, so that fast scrubbing still shows what it passes.
 */

export interface Picture {
  readonly width: number;
  readonly height: number;
  close(): void;
}

export interface FrameSource<P extends Picture> {
  load(frame: number, signal: AbortSignal): Promise<P>;
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

interface Flight {
  abort: AbortController;
  wanted: boolean;
}

export class Frames<P extends Picture> {
  /** In order of use, the latest last. */
  private readonly cache = new Map<number, P>();
  private readonly flights = new Map<number, Flight>();
  private readonly refused = new Set<number>();
  private bytes = 0;
  private wanted = 0;
  private direction: 1 | -1 = 1;
  private closed = false;

  constructor(
    private readonly source: FrameSource<P>,
    private readonly count: number,
    private readonly limits: FrameLimits = DEFAULT_LIMITS,
  ) {}

  get(frame: number): P | undefined {
    const picture = this.cache.get(frame);
    if (picture) {
      this.cache.delete(frame);
      this.cache.set(frame, picture);
    }
    return picture;
  }

  /** Asks for `frame`, and for those after it in `direction`. A failed frame is tried again. */
  want(frame: number, direction: 1 | -1): void {
    this.wanted = frame;
    this.direction = direction;
    this.refused.delete(frame);
    const window = new Set(this.window());
    for (const [other, flight] of this.flights) {
      if (!flight.wanted && !window.has(other)) {
        flight.abort.abort();
        this.flights.delete(other);
      }
    }
    const flight = this.flights.get(frame);
    if (flight) flight.wanted = true;
    this.fill();
  }

  /** Frees every picture and gives up every request. */
  close(): void {
    this.closed = true;
    for (const flight of this.flights.values()) flight.abort.abort();
    this.flights.clear();
    for (const picture of this.cache.values()) picture.close();
    this.cache.clear();
    this.bytes = 0;
  }

  private *window(): Generator<number> {
    for (let step = 0; step <= this.limits.ahead; step++) {
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
    const flight: Flight = { abort: new AbortController(), wanted: frame === this.wanted };
    this.flights.set(frame, flight);
    try {
      const picture = await this.source.load(frame, flight.abort.signal);
      if (flight.abort.signal.aborted) {
        picture.close();
        return;
      }
      this.flights.delete(frame);
      this.keep(frame, picture);
      this.source.loaded(frame);
    } catch (error) {
      if (flight.abort.signal.aborted) return;
      this.flights.delete(frame);
      this.refused.add(frame);
      this.source.failed(frame, error);
    }
    this.fill();
  }

  private keep(frame: number, picture: P): void {
    this.cache.set(frame, picture);
    this.bytes += size(picture);
    for (const [oldest, other] of this.cache) {
      if (this.bytes <= this.limits.bytes) break;
      if (oldest === this.wanted || oldest === frame) continue;
      this.cache.delete(oldest);
      this.bytes -= size(other);
      other.close();
    }
  }
}

const size = (picture: Picture): number => picture.width * picture.height * 4;
