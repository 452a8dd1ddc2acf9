/**
 * What was heard of the rounds. All of them are asked for, the ones nearest to the one that is
 * shown first, so that going from round to round waits for nothing.
 */

import { signal } from "@preact/signals";
import type { Kernel } from "../wire/kernel";
import type { PolicyCatalogue, Round, State } from "./messages";

export class KnownRounds {
  readonly rounds = signal<ReadonlyMap<number, Round>>(new Map());
  /** By round and object. */
  readonly maps = signal<ReadonlyMap<string, [number, number][]>>(new Map());
  readonly apart = signal<ReadonlyMap<string, (number | null)[] | null>>(new Map());
  private revision = -1;
  private asking = false;
  private wanted = { round: 0, object: 0, last: 0 };

  constructor(private readonly kernel: Kernel<PolicyCatalogue>) {}

  /** What is shown now; what is not known of it comes first. */
  want(state: State, round: number, object: number): void {
    if (state.revision !== this.revision) {
      this.revision = state.revision;
      this.rounds.value = new Map();
      this.maps.value = new Map();
      this.apart.value = new Map();
    }
    this.wanted = { round, object, last: state.rounds.length };
    void this.ask();
  }

  /** Finds out how much the masks of the two sides differ, which takes a while. */
  async sides(round: number, object: number): Promise<void> {
    const revision = this.revision;
    const reply = await this.kernel.ask("disagreement.get", { round, object }, { slow: true });
    if (!reply || revision !== this.revision) return;
    this.apart.value = new Map(this.apart.value).set(key(round, object), reply.fields.apart);
  }

  private async ask(): Promise<void> {
    if (this.asking) return;
    this.asking = true;
    try {
      for (let next = this.next(); next !== null; next = this.next()) {
        const revision = this.revision;
        const { object } = this.wanted;
        const [round, map] = await Promise.all([
          this.rounds.peek().has(next) ? null : this.kernel.ask("round.get", { round: next }),
          object ? this.kernel.ask("map.get", { round: next, object }) : null,
        ]);
        if (revision !== this.revision) continue;
        if (!round && !this.rounds.peek().has(next)) return; // it was told in the log
        if (round) this.rounds.value = new Map(this.rounds.value).set(next, round.fields.told);
        if (object) {
          const places = map?.fields.places ?? [];
          this.maps.value = new Map(this.maps.value).set(key(next, object), places);
        }
      }
    } finally {
      this.asking = false;
    }
  }

  /** The nearest round of which something is not known; null: all is. */
  private next(): number | null {
    const { round, object, last } = this.wanted;
    const open = Array.from({ length: last + 1 }, (_, n) => n).filter(
      (n) => !this.rounds.peek().has(n) || (object && !this.maps.peek().has(key(n, object))),
    );
    open.sort((a, b) => Math.abs(a - round) - Math.abs(b - round));
    return open[0] ?? null;
  }
}

export const key = (round: number, object: number) => `${round}:${object}`;
