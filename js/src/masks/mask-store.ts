/**
 * The newest masks that are known of each frame, as runs, those they replaced, and the requests
 * for those that are missing or out of date. A reply that a push has overtaken is dropped by its
 * revision.
 */

import { signal } from "@preact/signals";
import { equalRuns, runsFromBuffer } from "./runs";

/** Where one frame's runs lie in a message's buffer, in uint32 units. */
export interface MaskPlace {
  frame: number;
  revision: number;
  offset: number;
  length: number;
}

interface Known {
  revision: number;
  runs: Uint32Array;
  /** What the frame had before its mask last changed in this view. */
  before: Uint32Array | null;
}

/** Frames asked for in one request. */
const BATCH = 16;

export class Masks {
  /** Grows when masks have come. */
  readonly version = signal(0);
  private readonly known = new Map<number, Known>();
  private readonly asked = new Set<number>();

  /**
   * @param revisionOf the revision the kernel last named for a frame
   * @param fetch asks the kernel for masks; what comes back goes through `accept`
   * @param updated called with the frames whose masks are new
   * @param failed called with what fetching rejects with
   */
  constructor(
    private readonly revisionOf: (frame: number) => number,
    private readonly fetch: (frames: number[]) => Promise<void>,
    private readonly updated: (frames: number[]) => void,
    private readonly failed: (error: unknown) => void,
  ) {}

  get(frame: number): Uint32Array | null {
    return this.known.get(frame)?.runs ?? null;
  }

  /** The mask before the last change; null where none was seen. */
  before(frame: number): Uint32Array | null {
    return this.known.get(frame)?.before ?? null;
  }

  /** Whether an object has a pixel in the known mask of a frame. */
  shows(frame: number, object: number): boolean {
    this.version.value;
    return this.get(frame)?.some((run) => run >>> 24 === object) ?? false;
  }

  revision(frame: number): number {
    return this.known.get(frame)?.revision ?? -1;
  }

  /** Shows `runs` on a frame until the kernel's next revision of it comes. */
  assume(frame: number, runs: Uint32Array): void {
    this.keep(frame, this.revision(frame), runs);
    this.tell([frame]);
  }

  /** Takes masks that came as a reply or a push. */
  accept(places: readonly MaskPlace[], buffer: ArrayBufferView | undefined): void {
    if (!buffer) return;
    const runs = runsFromBuffer(buffer);
    const frames: number[] = [];
    for (const { frame, revision, offset, length } of places) {
      if (this.revision(frame) > revision) continue;
      this.keep(frame, revision, runs.slice(offset, offset + length));
      frames.push(frame);
    }
    if (frames.length > 0) this.tell(frames);
  }

  private tell(frames: number[]): void {
    this.version.value++;
    this.updated(frames);
  }

  /** Asks for those of `frames` that are not known in their newest revision. */
  want(frames: Iterable<number>): void {
    const missing: number[] = [];
    for (const frame of frames) {
      if (this.revision(frame) < this.revisionOf(frame) && !this.asked.has(frame))
        missing.push(frame);
      if (missing.length === BATCH) break;
    }
    if (missing.length === 0) return;
    for (const frame of missing) this.asked.add(frame);
    this.fetch(missing)
      .catch((error) => this.failed(error))
      .finally(() => {
        for (const frame of missing) this.asked.delete(frame);
      });
  }

  private keep(frame: number, revision: number, runs: Uint32Array): void {
    const old = this.known.get(frame);
    const before = !old ? null : equalRuns(old.runs, runs) ? old.before : old.runs;
    this.known.set(frame, { revision, runs, before });
  }
}
