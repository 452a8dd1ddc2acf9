/** How a draft becomes an annotation, and what can be said of a mask without drawing. */

import { computed, effect, signal } from "@preact/signals";
import type { Masks } from "../../masks/mask-store";
import { encodeRuns, runsOf } from "../../masks/runs";
import type { Activity } from "../../ui/activity";
import type { AnnotatorKernel } from "../annotator-kernel";
import type { ObjectInfo, Others } from "../messages";
import type { Store } from "../store";
import type { Draft } from "./draft";
import type { Drafts } from "./drafts";
import type { Objects } from "./objects";
import type { Previews } from "./previews";

/** Said where an outline cannot be closed. */
export const TOO_FEW_VERTICES = "An outline needs three points or more";

/**
 * Milliseconds after a commit in which Enter follows no suggestion: one press too many, of those
 * that close an outline and commit it, must not take the person to another frame.
 */
const REST = 1000;

/** A commit that waits for a word: it would take pixels that others were annotated with. */
export interface Question {
  /** Object ids and pixels. */
  takes: readonly (readonly [object: number, pixels: number])[];
  propagate: boolean;
}

/** A commit that was asked for. */
interface Commit {
  readonly draft: Draft;
  propagate: boolean;
  /** It waits for its preview no longer. */
  sent: boolean;
}

export class Annotations {
  /** Those that have no answer yet, and whether they will have been saved. */
  private readonly pending = signal<readonly { commit: Commit; saved: Promise<boolean> }[]>([]);
  private readonly asked = signal<(Question & { draft: Draft; step: object }) | null>(null);
  private committed = Number.NEGATIVE_INFINITY;
  /** The session's revision with the last commit in it. */
  private readonly saved = signal(0);
  /** Seconds of work on a draft that no commit has paid for yet. */
  /** What is being said without a mask: of whom, and on which frame. */
  private readonly saying = new Set<string>();
  private readonly unpaid = new WeakMap<Draft, number>();
  private since: number;
  private readonly stop: () => void;

  constructor(
    private readonly kernel: AnnotatorKernel,
    private readonly store: Store,
    private readonly masks: Masks,
    private readonly objects: Objects,
    private readonly drafts: Drafts,
    private readonly previews: Previews,
    private readonly activity: Activity,
  ) {
    this.since = activity.worked;
    this.stop = effect(() => {
      store.shown.value;
      this.since = activity.worked;
    });
  }

  /** What was asked of the draft in hand, until it becomes another. */
  readonly question = computed<Question | null>(() => {
    this.drafts.version.value;
    const asked = this.asked.value;
    const here = asked?.draft === this.drafts.current.value && asked?.draft.now === asked?.step;
    return here ? asked : null;
  });

  /** Takes the question back; the draft stays. */
  dropQuestion(): void {
    this.asked.value = null;
  }

  /** Answers the question, and commits. */
  async decide(others: "take" | "leave"): Promise<void> {
    const { question } = this;
    if (question.value) await this.commit(question.value.propagate, others);
  }

  /**
   * Saves the draft in hand. It is the one that was in hand when this was asked for: while the
   * last preview is on its way, the person may look elsewhere. Asked for again meanwhile, it is
   * still one commit. What was drawn since an object is being added is that one's, and goes first.
   */
  async commit(propagate: boolean, others: Others = "ask"): Promise<void> {
    const shown = this.drafts.current.value;
    const added = this.objects.isAdding ? await this.drafts.open() : null;
    const draft = added && !added.isEmpty ? added : shown;
    draft?.endMotion();
    if (!draft || draft.isEmpty) return;
    if (draft.path && !draft.closePath()) draft.leavePath();
    if (draft.isEmpty) {
      this.drafts.changed();
      this.announce(TOO_FEW_VERTICES);
      return;
    }
    this.unpaid.set(draft, this.measured() + (this.unpaid.get(draft) ?? 0));
    this.committed = performance.now();
    const waiting = this.pending
      .peek()
      .find(({ commit }) => commit.draft === draft && !commit.sent);
    if (waiting) waiting.commit.propagate ||= propagate;
    await (waiting?.saved ?? this.begin(draft, propagate, others));
  }

  /** Waits for every commit that was asked for; whether all of them were saved. */
  async settled(): Promise<boolean> {
    const saved = await Promise.all(this.pending.peek().map((pending) => pending.saved));
    return saved.every(Boolean);
  }

  private begin(draft: Draft, propagate: boolean, others: Others): Promise<boolean> {
    const commit = { draft, propagate, sent: false };
    const saved = this.save(commit, others).finally(() => {
      this.pending.value = this.pending.peek().filter((other) => other.commit !== commit);
    });
    this.pending.value = [...this.pending.peek(), { commit, saved }];
    return saved;
  }

  private async save(commit: Commit, others: Others): Promise<boolean> {
    const { draft } = commit;
    if (!(await this.previews.answered(draft))) return false;
    const { frame, object, kind, clicks } = draft;
    if (kind === "none") return false;
    commit.sent = true;
    const held = this.drafts.labels(frame, []).map((label) => (label === object ? 1 : 0));
    const labels = this.drafts.labels(frame, [draft]);
    const runs = runsOf(object, labels);
    const before = this.masks.revision(frame);
    this.drafts.send(draft);
    try {
      const { fields } = await this.kernel.request(
        "mask.commit",
        {
          frame,
          object,
          annotation_type: kind === "brush" || kind === "polygon" ? "mask" : kind,
          seconds: this.unpaid.get(draft) ?? 0,
          clicks,
          propagate: commit.propagate,
          others,
        },
        { buffers: [runs] },
      );
      if (!fields.saved) {
        this.drafts.refused(draft);
        this.ask(draft, commit.propagate, fields.takes);
        return false;
      }
      this.unpaid.delete(draft);
      this.committed = performance.now();
      this.saved.value = fields.revision;
      this.drafts.arrived(draft);
      this.drafts.outlines.keep(draft, held, runs);
      if (others !== "leave" && this.masks.revision(frame) === before)
        this.masks.assume(frame, encodeRuns(labels));
      this.announce(`Frame ${frame} saved`);
      return true;
    } catch (error) {
      this.drafts.refused(draft);
      this.kernel.fail(error);
      return false;
    } finally {
      this.drafts.changed();
    }
  }

  /** Whether something is being committed, or was a moment ago. */
  get justCommitted(): boolean {
    return this.pending.peek().length > 0 || performance.now() - this.committed < REST;
  }

  /** Whether a commit was asked for that the kernel's state does not tell of yet. */
  get underWay(): boolean {
    const known = this.kernel.state.value?.revision ?? 0;
    return this.pending.value.length > 0 || this.saved.value > known;
  }

  /** Whether the active object has a committed mask on the shown frame. */
  get showsMask(): boolean {
    const object = this.objects.active.value;
    return object !== null && this.masks.shows(this.store.shown.value, object.id);
  }

  /** Says of the active object that its mask is right as shown, or that it is not in the frame. */
  async say(what: "verified" | "absent"): Promise<void> {
    const object = this.objects.active.value;
    if (!object || !this.objects.mayEdit()) return;
    const frame = this.store.shown.value;
    const said = `${what} ${frame} ${object.id}`;
    if (this.saying.has(said)) return;
    this.saying.add(said);
    await this.commitStatement(what, frame, object).finally(() => this.saying.delete(said));
  }

  private async commitStatement(
    what: "verified" | "absent",
    frame: number,
    object: ObjectInfo,
  ): Promise<void> {
    const labels = this.drafts.labels(frame, []);
    const right = what === "verified";
    const runs = encodeRuns(labels.map((label) => (right && label === object.id ? 1 : 0)));
    const reply = await this.kernel.ask(
      "mask.commit",
      {
        frame,
        object: object.id,
        annotation_type: what,
        seconds: this.measured(),
        clicks: [],
        propagate: false,
        others: "ask",
      },
      { buffers: [runs] },
    );
    if (!reply) return;
    if (!reply.fields.saved) {
      this.announce(
        `Nothing is said of ${this.objects.called(object.id)}: the masks of frame ${frame} changed; look again`,
      );
      return;
    }
    const said = right ? "accepted as it is" : "marked absent";
    this.announce(`${this.objects.called(object.id)} ${said} on frame ${frame}`);
  }

  close(): void {
    this.stop();
  }

  private ask(draft: Draft, propagate: boolean, takes: Record<string, number>): void {
    const pairs = Object.entries(takes).map(([id, pixels]) => [Number(id), pixels] as const);
    this.asked.value = { draft, step: draft.now, propagate, takes: pairs };
    this.drafts.changed();
    this.announce("This would take pixels from other objects; nothing is saved yet");
  }

  /** Seconds of work since the frame was shown or the last annotation; they count once. */
  measured(): number {
    const now = this.activity.worked;
    const seconds = (now - this.since) / 1000;
    this.since = now;
    return seconds;
  }

  private announce(words: string): void {
    this.store.announcement.value = words;
  }
}
