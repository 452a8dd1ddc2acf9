/** The kernel of an annotator: the objects as they are shown, and the pass that runs. */

import { computed, signal } from "@preact/signals";
import type { MaskPlace } from "../masks/mask-store";
import type { Send } from "../wire/channel";
import { Kernel } from "../wire/kernel";
import type { AnnotatorCatalogue, Job, ObjectInfo, State } from "./messages";

const IDLE: Job = {
  phase: "idle",
  name: "",
  done: 0,
  total: 0,
  remaining_seconds: null,
  message: "",
};

export class AnnotatorKernel extends Kernel<AnnotatorCatalogue> {
  readonly job = signal<Job>(IDLE);
  /** The objects in the colours they are shown in. */
  readonly objects = computed<ObjectInfo[]>(() =>
    (this.state.value?.objects ?? []).map(this.coloured),
  );

  constructor(
    view: string,
    send: Send,
    masks: (places: MaskPlace[], buffer: DataView | undefined) => void,
    private readonly coloured: (object: ObjectInfo) => ObjectInfo = (object) => object,
  ) {
    super(view, send);
    this.on("mask.update", (payload, buffers) => masks(payload.masks, buffers[0]));
    this.on("job", ({ job }) => {
      this.job.value = job;
    });
  }

  protected override take(state: State): boolean {
    const newer = super.take(state);
    if (newer) this.job.value = state.job;
    return newer;
  }

  protected override lost(): void {
    super.lost();
    this.job.value = IDLE;
  }
}
