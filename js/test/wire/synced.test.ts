import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Traits } from "../../src/annotator/traits";
import { Synced } from "../../src/wire/synced";
import { type FakeModel, fakeModel } from "../annotator/fake-model";

let model: FakeModel;
beforeEach(() => {
  vi.useFakeTimers();
  model = fakeModel();
});
afterEach(() => vi.useRealTimers());

describe("a synced value", () => {
  it("follows Python", () => {
    const frame = new Synced<Traits, "frame">(model, "frame");
    model.set("frame", 7);
    expect(frame.value).toBe(7);
  });

  it("shows in other views at once and is sent once after a burst", () => {
    const frame = new Synced<Traits, "frame">(model, "frame");
    const other = new Synced<Traits, "frame">(model, "frame");
    for (let i = 1; i <= 30; i++) frame.set(i);
    expect(other.value).toBe(30);
    expect(model.saves).toHaveLength(0);
    vi.runAllTimers();
    expect(model.saves.map((s) => s.frame)).toEqual([30]);
  });

  it("is not set back by the echo of what was sent before", () => {
    const frame = new Synced<Traits, "frame">(model, "frame");
    frame.set(5);
    vi.runAllTimers();
    frame.set(6);
    model.set("frame", 5);
    expect(frame.value).toBe(6);
    vi.runAllTimers();
    expect(model.saves.at(-1)?.frame).toBe(6);
  });

  it("is sent when the view closes, and hears nothing after", () => {
    const frame = new Synced<Traits, "frame">(model, "frame");
    frame.set(3);
    frame.close();
    expect(model.saves.map((s) => s.frame)).toEqual([3]);
    model.set("frame", 9);
    expect(frame.value).toBe(3);
  });
});
