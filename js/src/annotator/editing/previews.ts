/** Masks that the predictor draws from the prompts of drafts, asked for and waited for. */

import { effect, signal } from "@preact/signals";
import { decodeRuns, runsFromBuffer } from "../../masks/runs";
import { isAbort, isGone, KernelError } from "../../wire/channel";
import type { AnnotatorKernel } from "../annotator-kernel";
import type { Store } from "../store";
import type { Draft } from "./draft";
import type { Drafts } from "./drafts";

/** How often a preview is asked for that a commit waits for, where others took its place. */
const ATTEMPTS = 5;

export class Previews {
  private readonly running = new Map<Draft, { abort: AbortController; done: Promise<void> }>();
  /** Commits that wait for a preview. */
  private readonly awaited = signal(0);
  private readonly stop: () => void;

  constructor(
    private readonly kernel: AnnotatorKernel,
    private readonly drafts: Drafts,
    private readonly store: Store,
  ) {
    this.stop = effect(() => {
      // Nothing but the version tells that another preview took the place of this draft's.
      drafts.version.value;
      const onScreen = [drafts.current.value, ...drafts.on(store.shown.value)];
      // It would take the place of one that a commit waits for.
      if (this.awaited.value > 0 || kernel.gone.value) return;
      // One at a time, as the kernel answers the newest only.
      const draft = onScreen.find((each) => each?.waiting);
      if (draft && !this.running.has(draft)) this.ask(draft);
    });
  }

  /** Asks for the mask of the draft's prompts; an older question of the same draft is dropped. */
  ask(draft: Draft): void {
    this.running.get(draft)?.abort.abort();
    const abort = new AbortController();
    const done = this.predict(draft, abort.signal)
      .finally(() => {
        if (this.running.get(draft)?.abort !== abort) return;
        this.running.delete(draft);
        this.drafts.changed();
      })
      .catch((error) => this.kernel.fail(error));
    this.running.set(draft, { abort, done });
  }

  /** Gives up what was asked for a draft. */
  drop(draft: Draft): void {
    this.running.get(draft)?.abort.abort();
    this.running.delete(draft);
  }

  /** Waits for the answer to a draft's latest prompt. Whether the draft can be committed then. */
  async answered(draft: Draft): Promise<boolean> {
    const { gone } = this.kernel;
    const kept = () => this.drafts.keeps(draft) && !gone.peek();
    this.awaited.value++;
    for (let attempt = 0; draft.waiting && kept() && attempt < ATTEMPTS; attempt++) {
      // The kernel answers the newest question only; one from another frame may be newer.
      if (!this.running.has(draft)) this.ask(draft);
      await this.running.get(draft)?.done;
    }
    this.awaited.value--;
    if (!kept()) return false;
    if (draft.waiting) {
      const words = `frame ${draft.frame} is not saved: its preview did not come; commit it again.`;
      this.kernel.fail(new Error(words));
    }
    return !draft.waiting;
  }

  close(): void {
    this.stop();
    for (const { abort } of this.running.values()) abort.abort();
  }

  private async predict(draft: Draft, signal: AbortSignal): Promise<void> {
    const { frame, object, clicks, box, scribbles } = draft;
    const alone = !this.store.together.peek();
    try {
      const reply = await this.kernel.request(
        "prompt.preview",
        { frame, object, clicks, box, scribbles, alone },
        { signal },
      );
      const mask = new Uint8Array(draft.width * draft.height);
      decodeRuns(runsFromBuffer(reply.buffers[0]), mask);
      draft.setPrediction(mask, reply.fields.score, reply.fields.takes);
    } catch (error) {
      if (isAbort(error)) return;
      // Asked on another frame in the meantime; this one is asked again when it is back in hand.
      if (error instanceof KernelError && error.code === "superseded") return;
      // What a kernel that is no more was asked stays as it is; the view keeps its drafts.
      if (!isGone(error)) draft.dropPrompt();
      this.kernel.fail(error);
    }
  }
}
