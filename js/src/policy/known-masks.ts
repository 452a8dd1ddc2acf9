/**
 * The masks that the policy saw, as far as they were heard of: that of the shown frame is asked for
 * first, then those that rounds are gone to with, so that most looks wait for nothing. They have
 * requests of their own: what is said of a round does not wait for its masks.
 */

import { signal } from "@preact/signals";
import { runsFromBuffer } from "../masks/runs";
import type { Kernel } from "../wire/kernel";
import type { PolicyCatalogue } from "./messages";

/** A mask somebody looks at: that of an object on a frame before a round. */
export interface Look {
  round: number;
  frame: number;
  object: number;
}

export class KnownMasks {
  /** Runs of binary masks, by `keyOf`. */
  readonly runs = signal<ReadonlyMap<string, Uint32Array>>(new Map());
  private revision = -1;
  private asking = false;
  private wanted: readonly Look[] = [];

  constructor(private readonly kernel: Kernel<PolicyCatalogue>) {}

  /** What is looked at now and may be next, in this order. */
  want(revision: number, looks: readonly Look[]): void {
    if (revision !== this.revision) {
      this.revision = revision;
      this.runs.value = new Map();
    }
    this.wanted = looks;
    void this.ask();
  }

  private async ask(): Promise<void> {
    if (this.asking) return;
    this.asking = true;
    try {
      for (let look = this.next(); look; look = this.next()) {
        const { revision } = this;
        const reply = await this.kernel.ask("mask.get", { ...look });
        if (revision !== this.revision) continue;
        if (!reply) return; // it was told in the log
        const runs = runsFromBuffer(reply.buffers[0]);
        this.runs.value = new Map(this.runs.value).set(keyOf(look), runs);
      }
    } finally {
      this.asking = false;
    }
  }

  private next(): Look | undefined {
    return this.wanted.find((look) => !this.runs.peek().has(keyOf(look)));
  }
}

export const keyOf = ({ round, frame, object }: Look) => `${round}:${frame}:${object}`;
