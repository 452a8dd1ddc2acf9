/** Small pictures of frames for the timeline, fetched when the pointer rests over one. */

import { signal } from "@preact/signals";
import { Frames } from "./frames";

/** In device pixels; shown at half of it. */
export const THUMB_WIDTH = 320;

const LIMITS = { bytes: 24 * 2 ** 20, inFlight: 2, ahead: 0 };

export class Thumbs {
  /** Grows when a picture has come. */
  readonly version = signal(0);
  private readonly frames: Frames<ImageBitmap>;

  constructor(
    load: (frame: number, signal: AbortSignal) => Promise<ImageBitmap>,
    failed: (error: unknown) => void,
    count: number,
  ) {
    this.frames = new Frames<ImageBitmap>(
      {
        load,
        loaded: () => {
          this.version.value++;
        },
        failed: (_, error) => failed(error),
      },
      count,
      LIMITS,
    );
  }

  get(frame: number): ImageBitmap | undefined {
    return this.frames.get(frame);
  }

  want(frame: number): void {
    if (!this.frames.get(frame)) this.frames.want(frame, 1);
  }

  close(): void {
    this.frames.close();
  }
}
