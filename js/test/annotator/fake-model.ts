/** A model without a host, for tests of what is synced. */

import type { AnyModel } from "@anywidget/types";
import type { Traits } from "../../src/annotator/traits";
import type { Video } from "../../src/wire/catalogue";

export interface FakeModel extends AnyModel<Traits> {
  saves: Partial<Traits>[];
}

export function fakeModel(video: Partial<Video> = {}): FakeModel {
  const traits: Traits = {
    video: { name: "clip", n_frames: 10, height: 4, width: 6, fps: 25, ...video },
    frame: 0,
    active_object: 0,
    tool: "auto",
    display: { opacity: 0.5, contour: true, onion: false, difference: false, palette: "safe" },
    target: null,
    read_only: false,
    theme: "auto",
  };
  const listeners = new Map<string, Set<() => void>>();
  const saves: Partial<Traits>[] = [];
  const model = {
    saves,
    get: (name: keyof Traits) => traits[name],
    set: (name: keyof Traits, value: never) => {
      if (traits[name] === value) return;
      traits[name] = value;
      for (const listener of listeners.get(`change:${name}`) ?? []) listener();
    },
    on: (event: string, listener: () => void) => {
      listeners.set(event, (listeners.get(event) ?? new Set()).add(listener));
    },
    off: (event: string, listener: () => void) => listeners.get(event)?.delete(listener),
    save_changes: () => saves.push({ ...traits }),
  };
  return model as unknown as FakeModel;
}
