/**
 * Drafts over a reload: what is unfinished, or on its way to the disk, is kept by the tab of the
 * browser, and taken up again by the next view of the session, for frames whose masks are still
 * those it was begun on.
 */

import { effect } from "@preact/signals";
import type { Masks } from "../../masks/mask-store";
import { runsOf } from "../../masks/runs";
import type { AnnotatorKernel } from "../annotator-kernel";
import { rememberDrafts, takeDrafts } from "../memory";
import type { Store } from "../store";
import type { Draft } from "./draft";
import type { Drafts } from "./drafts";
import { digestOf, type PackedDraft, pack, unpack } from "./packed-drafts";

/** Milliseconds without a change before drafts are written. */
const DELAY = 300;

export class KeptDrafts {
  /** Drafts from before, of frames whose masks are not known yet. */
  private waiting: PackedDraft[] = [];
  private timer: ReturnType<typeof setTimeout> | undefined;
  private readonly stops: (() => void)[] = [];

  /**
   * @param session which one it is, and `view` who works on it here
   * @param alive whether another view of this page still has its drafts itself
   */
  constructor(
    private readonly session: string,
    private readonly view: string,
    private readonly kernel: AnnotatorKernel,
    private readonly store: Store,
    private readonly masks: Masks,
    private readonly drafts: Drafts,
    alive: (view: string) => boolean,
  ) {
    const stored = takeDrafts<PackedDraft>(session, (other) => other !== view && !alive(other));
    const known = new Set(kernel.objects.peek().map(({ id }) => id));
    this.waiting = stored.filter(({ object }) => known.has(object));
    this.stops.push(
      effect(() => this.takeUp(masks.version.value)),
      effect(() => this.changed(drafts.version.value)),
    );
  }

  /** Writes what is unfinished now. */
  write(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    const { drafts } = this;
    const begun = ({ frame }: Draft) => digestOf(this.masks.get(frame));
    const saving = drafts.saving.peek().map((draft) => {
      const labels = drafts.labels(draft.frame, [draft]);
      return pack(draft, begun(draft), digestOf(runsOf(draft.object, labels)));
    });
    const unfinished = drafts.unfinished.peek().map((draft) => pack(draft, begun(draft)));
    rememberDrafts(this.session, this.view, [...saving, ...unfinished, ...this.waiting]);
  }

  close(): void {
    for (const stop of this.stops) stop();
    if (this.timer !== undefined) this.write();
  }

  private changed(_: number): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.write(), DELAY);
  }

  private takeUp(_: number): void {
    if (this.waiting.length === 0) return;
    const known = this.waiting.filter(({ frame }) => this.masks.get(frame));
    this.waiting = this.waiting.filter((packed) => !known.includes(packed));
    this.masks.want(this.waiting.map(({ frame }) => frame));
    const back: number[] = [];
    for (const packed of known) {
      const { frame } = packed;
      if (packed.digest === digestOf(this.masks.get(frame))) {
        back.push(frame);
        this.drafts.adopt(unpack(packed, this.drafts.size));
      } else if (!this.saved(packed)) {
        const words = `the draft on frame ${frame} is gone: the frame's masks changed meanwhile.`;
        this.kernel.note("warning", words);
      }
    }
    if (back.length === 0) return;
    this.store.announcement.value = `Unfinished work is back, on ${
      back.length === 1 ? `frame ${back[0]}` : `${back.length} frames`
    }; Discard gives it up`;
  }

  /** Whether a draft that was on its way has arrived. */
  private saved({ frame, object, gives }: PackedDraft): boolean {
    return gives === digestOf(runsOf(object, this.drafts.labels(frame, [])));
  }
}
