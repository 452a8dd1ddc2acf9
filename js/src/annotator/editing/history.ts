/** Undo and redo: of unfinished work first, then of what the kernel keeps. */

import { computed } from "@preact/signals";
import type { AnnotatorKernel } from "../annotator-kernel";
import type { Store } from "../store";
import type { Annotations } from "./annotations";
import type { Draft } from "./draft";
import type { Drafts } from "./drafts";
import type { Previews } from "./previews";

export class History {
  constructor(
    private readonly kernel: AnnotatorKernel,
    private readonly store: Store,
    private readonly drafts: Drafts,
    private readonly previews: Previews,
    private readonly annotations: Annotations,
  ) {}

  readonly undoLabel = computed<string | null>(() => {
    this.drafts.version.value;
    const draft = this.drafts.current.value;
    if (draft?.canUndo) return draft.lastStep;
    if (this.drafts.restorable) return "discard";
    if (this.annotations.underWay) return "annotation";
    return this.kernel.state.value?.undo ?? null;
  });

  readonly redoLabel = computed<string | null>(() => {
    this.drafts.version.value;
    const draft = this.drafts.current.value;
    if (draft?.canRedo) return "last step";
    return draft?.canUndo ? null : (this.kernel.state.value?.redo ?? null);
  });

  async undo(): Promise<void> {
    const draft = this.drafts.current.value;
    if (draft?.undo()) return this.stepped(draft);
    const { restorable } = this.drafts;
    if (restorable) {
      this.drafts.restore(restorable);
      return this.stepped(restorable);
    }
    // A commit that is not saved is a draft again: there is nothing to take back.
    if (!(await this.annotations.settled())) return;
    const reply = await this.kernel.ask("history.undo", {});
    if (reply?.fields.label) this.store.announcement.value = `Undone: ${reply.fields.label}`;
  }

  async redo(): Promise<void> {
    const draft = this.drafts.current.value;
    if (draft?.redo()) return this.stepped(draft);
    const reply = await this.kernel.ask("history.redo", {});
    if (reply?.fields.label) this.store.announcement.value = `Redone: ${reply.fields.label}`;
  }

  /** Throws the draft away; the next undo brings it back. */
  discard(): void {
    const draft = this.drafts.current.value;
    if (!draft) return;
    this.previews.drop(draft);
    this.drafts.discard(draft);
    this.store.announcement.value = "Draft discarded, undo brings it back";
  }

  /** After a step back or forth: the prompts may now be others than those predicted. */
  private stepped(draft: Draft): void {
    this.previews.drop(draft);
    if (draft.waiting) this.previews.ask(draft);
    this.drafts.changed();
  }
}
