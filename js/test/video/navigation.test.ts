import { beforeEach, describe, expect, it, vi } from "vitest";
import { createStore, type Store } from "../../src/annotator/store";
import { type SyncedTraits, syncAnnotator } from "../../src/annotator/traits";
import { Navigation } from "../../src/video/navigation";
import { fakeModel } from "../annotator/fake-model";

let callback: ((now: number) => void) | null;
let store: Store;
let synced: SyncedTraits;
let navigation: Navigation;

beforeEach(() => {
  vi.useFakeTimers();
  callback = null;
  store = createStore();
  synced = syncAnnotator(fakeModel({ n_frames: 20, fps: 10 }));
  navigation = new Navigation(synced, store, {
    request: (next) => {
      callback = next;
      return 1;
    },
    cancel: () => {
      callback = null;
    },
  });
});

const tick = (now: number) => callback?.(now);
const show = () => {
  store.shown.value = navigation.frame.value;
};

describe("navigation", () => {
  it("stays within the video", () => {
    navigation.step(-5);
    expect(navigation.frame.value).toBe(0);
    navigation.jump(99);
    expect(navigation.frame.value).toBe(19);
    navigation.jump(Number.NaN);
    expect(navigation.frame.value).toBe(19);
  });

  it("remembers which way it went", () => {
    navigation.jump(10);
    navigation.step(-1);
    expect(navigation.direction).toBe(-1);
  });

  it("plays at the video's pace, but never past a frame that was not shown", () => {
    show();
    navigation.togglePlay();
    tick(1000);
    tick(1050);
    expect(navigation.frame.value).toBe(0);
    tick(1100);
    expect(navigation.frame.value).toBe(1);
    tick(1300);
    expect(navigation.frame.value).toBe(1);
    show();
    tick(1310);
    expect(navigation.frame.value).toBe(2);
  });

  it("is held at the frame that is on the screen, not at the one that is on its way", () => {
    navigation.jump(4);
    show();
    navigation.togglePlay();
    tick(1000);
    tick(1100);
    expect(navigation.frame.value).toBe(5);
    navigation.hold();
    expect(navigation.frame.value).toBe(4);
    expect(store.playing.value).toBe(false);
    expect(callback).toBeNull();
  });

  it("goes on to the wanted frame where nothing plays that could be held", () => {
    show();
    navigation.jump(9);
    navigation.hold();
    expect(navigation.frame.value).toBe(9);
  });

  it("ends at the last frame and begins again from the first", () => {
    navigation.jump(19);
    show();
    navigation.togglePlay();
    expect(navigation.frame.value).toBe(0);
    navigation.jump(19);
    expect(store.playing.value).toBe(false);
    expect(callback).toBeNull();
  });
});
