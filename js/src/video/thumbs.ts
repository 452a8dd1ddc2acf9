/** Small pictures of frames for the timeline, fetched when the pointer rests over one. */

import { signal } from "@preact/signals";
import { type FrameSource, Frames, type Glimpse } from "./frames";

/** In device pixels; shown at half of it. */
export const THUMB_WIDTH = 320;

const LIMITS = { bytes: 24 * 2 ** 20, inFlight: 2, ahead: 0 };

export class Thumbs {
  /** Grows when a picture has come. */
  readonly version = signal(0);
  private readonly frames: Frames<ImageBitmap>;

  constructor(
    source: Pick<FrameSource<ImageBitmap>, "load" | "glimpse">,
    failed: (error: unknown) => void,
    count: number,
  ) {
    this.frames = new Frames<ImageBitmap>(
      {
        ...source,
        loaded: () => {
          this.version.value++;
        },
        failed: (_, error) => failed(error),
      },
      count,
      LIMITS,
    );
  }

  /** What there is of the moment of a frame. */
  near(frame: number): Glimpse<ImageBitmap> | null {
    return this.frames.near(frame);
  }

  want(frame: number): void {
    if (!this.frames.isExact(frame)) this.frames.want(frame, 1);
  }

  close(): void {
    this.frames.close();
  }
}
