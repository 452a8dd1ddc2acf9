/**
 * Outlines that were committed: their vertices can be moved as long as the frame holds exactly
 * what came of them. Whatever else changes the mask ends that, and taking the change back brings
 * it again.
 */

import type { Size } from "../../masks/geometry";
import type { Masks } from "../../masks/mask-store";
import { decodeRuns, encodeRuns, equalRuns, runsOf } from "../../masks/runs";
import { Draft } from "./draft";
import type { Layer } from "./layers";

interface Place {
  frame: number;
  object: number;
}

interface Committed {
  layers: readonly Layer[];
  /** The object's mask without the layers, and with them, as runs. */
  base: Uint32Array;
  saved: Uint32Array;
}

/** What was looked at last: on which masks of its frame, and what goes on from there. */
interface Seen {
  committed: Committed;
  runs: Uint32Array;
  draft: Draft | null;
}

const key = ({ frame, object }: Place) => `${frame}:${object}`;

export class CommittedOutlines {
  private readonly committed = new Map<string, Committed>();
  private latest: Seen | null = null;

  constructor(
    private readonly masks: Masks,
    private readonly size: Size,
  ) {}

  /**
   * Remembers a draft that was committed, if it has outlines.
   *
   * @param before the object's mask before it, binary
   * @param saved what was committed, as runs
   */
  keep(draft: Draft, before: Uint8Array, saved: Uint32Array): void {
    if (draft.polygons.length === 0) this.committed.delete(key(draft));
    else {
      const base = encodeRuns(draft.base ?? before);
      this.committed.set(key(draft), { layers: draft.layers, base, saved });
    }
  }

  /** What can be gone on with on a frame; null where there is nothing, or no longer. */
  at(place: Place): Draft | null {
    const committed = this.committed.get(key(place));
    const runs = this.masks.get(place.frame);
    if (!committed || !runs) return null;
    const before = this.latest?.committed === committed ? this.latest : null;
    if (before?.runs === runs) return before.draft;
    const holds = equalRuns(committed.saved, this.of(place.object, runs));
    const draft = holds ? (before?.draft ?? this.draft(place, committed)) : null;
    this.latest = { committed, runs, draft };
    return draft;
  }

  private draft({ frame, object }: Place, { layers, base }: Committed): Draft {
    const { width, height } = this.size;
    const mask = decodeRuns(base, new Uint8Array(width * height));
    return new Draft(frame, object, width, height, { layers, base: mask });
  }

  private of(object: number, runs: Uint32Array): Uint32Array {
    return runsOf(object, decodeRuns(runs, new Uint8Array(this.size.width * this.size.height)));
  }
}
