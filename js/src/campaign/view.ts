/** One display of a campaign's queue. */

import type { AnyModel } from "@anywidget/types";
import { effect, signal } from "@preact/signals";
import { rootTheme } from "../ui/theme";
import type { ThemeChoice } from "../wire/catalogue";
import { Kernel } from "../wire/kernel";
import { syncTraits } from "../wire/synced";
import type { CampaignCatalogue } from "./messages";

export interface CampaignTraits {
  theme: ThemeChoice;
}

export class View {
  readonly kernel: Kernel<CampaignCatalogue>;
  /** The video that is being opened, which takes a moment. */
  readonly opening = signal<string | null>(null);
  private readonly synced;
  private readonly pictures = new Map<string, Promise<ImageBitmap | null>>();
  private readonly abort = new AbortController();

  constructor(model: AnyModel<CampaignTraits>, root: HTMLElement, name: string) {
    this.kernel = new Kernel(name, (content, buffers) => model.send(content, undefined, buffers));
    const synced = syncTraits(model, { theme: "theme" });
    this.synced = synced;
    rootTheme(root, synced.theme, this.abort.signal);
    const stop = effect(() => {
      if (this.kernel.state.value) root.dataset.evavosReady = "true";
    });
    this.abort.signal.addEventListener("abort", stop);
    this.kernel.follow(model, this.abort.signal);
  }

  start(): void {
    void this.kernel.hello();
    this.kernel.listen(() => this.opening.value !== null);
  }

  async open(video: string): Promise<void> {
    this.kernel.trouble.value = null;
    this.opening.value = video;
    await this.kernel.ask("campaign.open", { video }, { slow: true });
    this.opening.value = null;
  }

  finish(video: string, finished: boolean): void {
    this.kernel.trouble.value = null;
    void this.kernel.ask("campaign.finish", { video, finished });
  }

  /** A small picture of a video, asked for until it has come; null where it did not. */
  picture(video: string): Promise<ImageBitmap | null> {
    const known = this.pictures.get(video) ?? this.load(video);
    this.pictures.set(video, known);
    return known;
  }

  private async load(video: string): Promise<ImageBitmap | null> {
    const reply = await this.kernel.ask("thumb.get", { video }, { slow: true });
    if (!reply) {
      this.pictures.delete(video);
      return null;
    }
    const { buffer, byteOffset, byteLength } = reply.buffers[0];
    const bytes = new Uint8Array(buffer as ArrayBuffer, byteOffset, byteLength);
    return createImageBitmap(new Blob([bytes], { type: reply.fields.mime }));
  }

  close(): void {
    this.abort.abort();
    this.kernel.close();
    this.synced.close();
  }
}
