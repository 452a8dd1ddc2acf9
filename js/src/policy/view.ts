/** One display of the policy explorer: what it shares with the kernel, and what is its own. */

import type { AnyModel } from "@anywidget/types";
import { computed, effect, type ReadonlySignal, signal } from "@preact/signals";
import { hostTheme, type Theme } from "../ui/theme";
import type { Incoming } from "../wire/channel";
import { Kernel } from "../wire/kernel";
import { KnownRounds, key } from "./known";
import type { Job, ObjectRound, PolicyCatalogue, Round } from "./messages";
import { type PolicyTraits, syncPolicy } from "./traits";

const IDLE: Job = { phase: "idle", done: 0, total: 0, message: "" };

export class View {
  readonly synced;
  readonly theme: ReadonlySignal<Theme>;
  readonly kernel: Kernel<PolicyCatalogue>;
  readonly known: KnownRounds;
  readonly job = signal<Job>(IDLE);
  /** Type of what is tried next. */
  readonly kind = signal("mask");
  /** Whether the two sides are being compared. */
  readonly comparing = signal(false);
  readonly round: ReadonlySignal<number>;
  readonly object: ReadonlySignal<number>;
  readonly told: ReadonlySignal<Round | null>;
  readonly shown: ReadonlySignal<ObjectRound | null>;
  readonly places: ReadonlySignal<[number, number][]>;
  readonly apart: ReadonlySignal<(number | null)[] | null | undefined>;
  private readonly abort = new AbortController();

  constructor(model: AnyModel<PolicyTraits>, root: HTMLElement, name: string) {
    this.kernel = new Kernel(name, (content, buffers) => model.send(content, undefined, buffers));
    this.known = new KnownRounds(this.kernel);
    this.kernel.on("whatif", ({ job }) => {
      this.job.value = job;
    });
    const { kernel, known } = this;
    const synced = syncPolicy(model);
    this.synced = synced;
    const host = hostTheme(this.abort.signal);
    this.theme = computed(() => {
      const chosen = synced.theme.value;
      return chosen === "auto" ? host.value : chosen;
    });
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
    const stops = [
      effect(() => {
        root.dataset.theme = this.theme.value;
      }),
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
    const told = this.known.rounds.peek().get(next);
    const where = told?.made ?? told?.asked ?? this.kernel.state.peek()?.rounds[next];
    if (!where) return;
    this.synced.object.set(where.object);
    this.look(where.frame);
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

  receive(content: Incoming, buffers: DataView[]): void {
    this.kernel.receive(content, buffers);
  }

  close(): void {
    this.abort.abort();
    this.kernel.close();
    this.synced.close();
  }
}
