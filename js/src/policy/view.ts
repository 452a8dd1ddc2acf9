/** One display of the policy explorer: what it shares with the kernel, and what is its own. */

import type { AnyModel } from "@anywidget/types";
import { computed, effect, type ReadonlySignal, signal } from "@preact/signals";
import { rootTheme, type Theme } from "../ui/theme";
import { Kernel } from "../wire/kernel";
import { KnownRounds, key } from "./known";
import { KnownMasks, keyOf, type Look } from "./known-masks";
import type { Job, ObjectRound, PolicyCatalogue, Round } from "./messages";
import { type PolicyTraits, syncPolicy } from "./traits";

const IDLE: Job = { phase: "idle", done: 0, total: 0, message: "" };

export class View {
  readonly synced;
  readonly theme: ReadonlySignal<Theme>;
  readonly kernel: Kernel<PolicyCatalogue>;
  readonly known: KnownRounds;
  private readonly masks: KnownMasks;
  readonly job = signal<Job>(IDLE);
  /** Type of what is tried next. */
  readonly kind = signal("mask");
  /** Whether the mask lies over the picture. */
  readonly masked = signal(true);
  /** Whether the two sides are being compared. */
  readonly comparing = signal(false);
  readonly round: ReadonlySignal<number>;
  readonly object: ReadonlySignal<number>;
  readonly told: ReadonlySignal<Round | null>;
  readonly shown: ReadonlySignal<ObjectRound | null>;
  readonly places: ReadonlySignal<[number, number][]>;
  readonly apart: ReadonlySignal<(number | null)[] | null | undefined>;
  /** Runs of the mask over the picture; null while it is switched off or has not come. */
  readonly mask: ReadonlySignal<Uint32Array | null>;
  private readonly abort = new AbortController();

  constructor(model: AnyModel<PolicyTraits>, root: HTMLElement, name: string) {
    this.kernel = new Kernel(name, (content, buffers) => model.send(content, undefined, buffers));
    this.known = new KnownRounds(this.kernel);
    this.masks = new KnownMasks(this.kernel);
    this.kernel.on("whatif", ({ job }) => {
      this.job.value = job;
    });
    const { kernel, known, masks } = this;
    const synced = syncPolicy(model);
    this.synced = synced;
    this.theme = rootTheme(root, synced.theme, this.abort.signal);
    this.round = computed(() =>
      Math.min(synced.round.value, kernel.state.value?.rounds.length ?? synced.round.value),
    );
    this.object = computed(() => {
      const ids = kernel.state.value?.objects.map(({ id }) => id) ?? [];
      return ids.includes(synced.object.value) ? synced.object.value : (ids[0] ?? 0);
    });
    this.told = computed(() => known.rounds.value.get(this.round.value) ?? null);
    this.shown = computed(
      () => this.told.value?.objects.find(({ object }) => object === this.object.value) ?? null,
    );
    this.places = computed(
      () => known.maps.value.get(key(this.round.value, this.object.value)) ?? [],
    );
    this.apart = computed(() => known.apart.value.get(key(this.round.value, this.object.value)));
    this.mask = computed(
      () => (this.masked.value && masks.runs.value.get(keyOf(this.looked()))) || null,
    );
    const stops = [
      // The job of a state is older than what was heard of it since: it counts when the state comes.
      effect(() => {
        const state = kernel.state.value;
        if (state) this.job.value = state.job;
      }),
      effect(() => {
        const state = kernel.state.value;
        if (!state) return;
        known.want(state, this.round.value, this.object.value);
      }),
      effect(() => {
        const state = kernel.state.value;
        if (!state || !this.masked.value || !this.object.value) return;
        masks.want(state.revision, [this.looked(), ...this.questions(state.rounds.length)]);
      }),
      effect(() => {
        if (this.told.value) root.dataset.evavosReady = "true";
      }),
    ];
    this.abort.signal.addEventListener("abort", () => {
      for (const stop of stops) stop();
    });
    kernel.follow(model, this.abort.signal);
  }

  start(): void {
    void this.kernel.hello();
    this.kernel.listen(() => this.job.value.phase === "running" || this.comparing.value);
  }

  /** Shows a round, and the frame that is in question there. */
  goTo(round: number): void {
    const last = this.kernel.state.value?.rounds.length ?? 0;
    const next = Math.min(Math.max(round, 0), last);
    this.synced.round.set(next);
    const where = this.question(next);
    if (!where) return;
    this.synced.object.set(where.object);
    this.look(where.frame);
  }

  /** What is in question in a round: what was made in it, or is asked for next. */
  private question(round: number): { frame: number; object: number } | null {
    const made = this.kernel.state.value?.rounds[round];
    return made ?? this.known.rounds.value.get(round)?.asked ?? null;
  }

  /** What is in question in all rounds, the nearest to the shown one first. */
  private questions(last: number): Look[] {
    const apart = (round: number) => Math.abs(round - this.round.value);
    return Array.from({ length: last + 1 }, (_, round) => round)
      .sort((a, b) => apart(a) - apart(b))
      .flatMap((round) => {
        const where = this.question(round);
        return where ? [{ round, frame: where.frame, object: where.object }] : [];
      });
  }

  private looked(): Look {
    const { round, object, synced } = this;
    return { round: round.value, frame: synced.frame.value, object: object.value };
  }

  look(frame: number): void {
    const last = this.synced.video.value.n_frames - 1;
    this.synced.frame.set(Math.min(Math.max(frame, 0), last));
  }

  async compareSides(): Promise<void> {
    this.kernel.trouble.value = null;
    this.comparing.value = true;
    await this.known.sides(this.round.value, this.object.value);
    this.comparing.value = false;
  }

  whatIf(): void {
    this.kernel.trouble.value = null;
    void this.kernel.ask("whatif.start", {
      round: this.round.value,
      frame: this.synced.frame.value,
      object: this.object.value,
      annotation_type: this.kind.value,
    });
  }

  cancel(): void {
    void this.kernel.ask("whatif.cancel", {});
  }

  close(): void {
    this.abort.abort();
    this.kernel.close();
    this.synced.close();
  }
}
