import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Frames, type Picture } from "../../src/video/frames";

class FakePicture implements Picture {
  closed = false;
  readonly width = 10;
  readonly height = 10;
  constructor(readonly frame: number) {}
  close(): void {
    this.closed = true;
  }
}

/** Pictures that come when the test says so. */
function setup({ count = 100, pictures = 5, inFlight = 2, ahead = 3 } = {}) {
  const waiting = new Map<number, { signal: AbortSignal; resolve(): void; reject(): void }>();
  const glimpsed: { frame: number; resolve(of: number): void; reject(): void }[] = [];
  const made: FakePicture[] = [];
  const loaded: number[] = [];
  const failed: number[] = [];
  const frames = new Frames<FakePicture>(
    {
      load: (frame, signal) =>
        new Promise((resolve, reject) => {
          signal.addEventListener("abort", () => reject(new DOMException("", "AbortError")));
          waiting.set(frame, {
            signal,
            resolve: () => {
              const picture = new FakePicture(frame);
              made.push(picture);
              resolve(picture);
            },
            reject: () => reject(new Error(`frame ${frame} cannot be read`)),
          });
        }),
      glimpse: (frame) =>
        new Promise((resolve, reject) => {
          glimpsed.push({
            frame,
            resolve: (of) => {
              const picture = new FakePicture(of);
              made.push(picture);
              resolve({ frame: of, picture });
            },
            reject: () => reject(new Error("superseded")),
          });
        }),
      loaded: (frame) => loaded.push(frame),
      failed: (frame) => failed.push(frame),
    },
    count,
    { bytes: pictures * 400, inFlight, ahead },
  );
  const settle = async (frame: number, how: "resolve" | "reject" = "resolve") => {
    const flight = waiting.get(frame);
    if (!flight) throw new Error(`frame ${frame} was not asked for`);
    waiting.delete(frame);
    flight[how]();
    await vi.advanceTimersByTimeAsync(0);
  };
  return { frames, waiting, glimpsed, made, loaded, failed, settle };
}

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

describe("frames", () => {
  it("asks for the wanted frame first, then for those ahead, a few at a time", async () => {
    const { frames, waiting, settle, loaded } = setup();
    frames.want(10, 1);
    expect([...waiting.keys()]).toEqual([10, 11]);
    await settle(10);
    expect(loaded).toEqual([10]);
    expect([...waiting.keys()]).toEqual([11, 12]);
    expect(frames.get(10)?.frame).toBe(10);
  });

  it("looks ahead in the direction of travel and not past the ends", async () => {
    const { frames, waiting, settle } = setup({ inFlight: 9 });
    frames.want(2, -1);
    expect([...waiting.keys()]).toEqual([2, 1, 0]);
    await settle(2);
    expect([...waiting.keys()]).toEqual([1, 0]);
  });

  it("gives up prefetches that a jump made useless, and lets wanted frames through for a moment", async () => {
    const { frames, waiting, loaded, settle } = setup();
    frames.want(10, 1);
    const { signal: wanted } = waiting.get(10) ?? {};
    const { signal: prefetched } = waiting.get(11) ?? {};
    frames.want(50, 1);
    expect(prefetched?.aborted).toBe(true);
    expect(wanted?.aborted).toBe(false);
    expect(waiting.has(50)).toBe(true);
    await settle(10);
    expect(loaded).toEqual([10]);
    const { signal: slow } = waiting.get(50) ?? {};
    await vi.advanceTimersByTimeAsync(250);
    frames.want(80, 1);
    expect(slow?.aborted).toBe(true);
  });

  it("keeps within its bytes, closes what it drops, and keeps what was used last", async () => {
    const { frames, made, settle } = setup({ pictures: 3, inFlight: 1, ahead: 0 });
    for (const frame of [0, 1, 2]) {
      frames.want(frame, 1);
      await settle(frame);
    }
    expect(frames.get(0)).toBeDefined();
    frames.want(3, 1);
    await settle(3);
    expect(frames.get(1)).toBeUndefined();
    expect(frames.get(0)).toBeDefined();
    expect(made.filter((p) => p.closed).map((p) => p.frame)).toEqual([1]);
  });

  it("never drops the frame that is wanted, even when it alone is too large", async () => {
    const { frames, settle, made } = setup({ pictures: 0.5, inFlight: 1, ahead: 0 });
    frames.want(7, 1);
    await settle(7);
    expect(frames.get(7)).toBeDefined();
    expect(made[0].closed).toBe(false);
  });

  it.each([
    { pictures: 3, kept: [10, 11, 12] },
    { pictures: 1.5, kept: [10, 11] },
    { pictures: 0.5, kept: [10, 11] },
  ])(
    "comes to rest where what is ahead does not all fit: $pictures",
    async ({ pictures, kept }) => {
      const { frames, waiting, loaded, settle } = setup({ pictures, inFlight: 1, ahead: 8 });
      frames.want(10, 1);
      for (let i = 0; i < 20 && waiting.size > 0; i++) await settle([...waiting.keys()][0]);
      expect(loaded).toEqual(kept);
      expect(kept.filter((frame) => frames.isExact(frame))).toEqual(kept);
    },
  );

  it("goes on ahead from every wanted frame, and drops what is behind", async () => {
    const { frames, waiting, loaded, made, settle } = setup({ pictures: 2, inFlight: 1, ahead: 8 });
    for (const [frame, direction] of [
      [10, 1],
      [11, 1],
      [12, 1],
      [11, -1],
    ] as const) {
      frames.want(frame, direction);
      while (waiting.size > 0) await settle([...waiting.keys()][0]);
    }
    expect(loaded).toEqual([10, 11, 12, 13, 11, 10]);
    expect(made.filter((picture) => !picture.closed).map(({ frame }) => frame)).toEqual([11, 10]);
  });

  it("says what failed, goes on with the others, and tries again when asked again", async () => {
    const { frames, waiting, failed, settle } = setup({ inFlight: 1 });
    frames.want(10, 1);
    await settle(10, "reject");
    expect(failed).toEqual([10]);
    expect([...waiting.keys()]).toEqual([11]);
    await settle(11);
    frames.want(10, 1);
    expect(waiting.has(10) || waiting.has(12)).toBe(true);
    await settle([...waiting.keys()][0]);
    expect(waiting.has(10) || frames.get(10) !== undefined).toBe(true);
  });

  it("closes every picture and gives up every request at the end", async () => {
    const { frames, waiting, made, settle } = setup({ inFlight: 2 });
    frames.want(10, 1);
    await settle(10);
    frames.close();
    expect(made.every((p) => p.closed)).toBe(true);
    expect([...waiting.values()].every((flight) => flight.signal.aborted)).toBe(true);
  });

  describe("where the wanted one takes long", () => {
    it("shows something of its moment until it has come", async () => {
      const { frames, waiting, glimpsed, loaded, made, settle } = setup({ ahead: 0 });
      frames.want(33, 1);
      await vi.advanceTimersByTimeAsync(300);
      expect(glimpsed.map((each) => each.frame)).toEqual([33]);
      glimpsed[0].resolve(30);
      await vi.advanceTimersByTimeAsync(0);
      expect(loaded).toEqual([30]);
      expect(frames.get(33)).toBeUndefined();
      expect(frames.near(33)?.frame).toBe(30);
      expect(frames.isExact(30)).toBe(false);
      expect(waiting.has(33)).toBe(true);
      await settle(33);
      expect(loaded).toEqual([30, 33]);
      expect(frames.near(33)?.picture.closed).toBe(false);
      expect(made.filter((p) => p.closed).map((p) => p.frame)).toEqual([30]);
    });

    it("asks for nothing more where the frame comes soon, or was there", async () => {
      const { frames, glimpsed, settle } = setup({ ahead: 0 });
      frames.want(33, 1);
      await vi.advanceTimersByTimeAsync(30);
      await settle(33);
      frames.want(33, 1);
      await vi.advanceTimersByTimeAsync(1000);
      expect(glimpsed).toEqual([]);
    });

    it("waits a little with another frame where the wanted one usually comes soon", async () => {
      const { frames, glimpsed, loaded, settle } = setup({ ahead: 0 });
      const ask = async (frame: number) => {
        frames.want(frame, 1);
        await vi.advanceTimersByTimeAsync(50);
        glimpsed.at(-1)?.resolve(30);
        await vi.advanceTimersByTimeAsync(60);
      };
      await ask(33);
      expect(loaded).toEqual([]);
      await vi.advanceTimersByTimeAsync(400);
      expect(loaded).toEqual([30]);
      await settle(33);
      await ask(35); // by now it is known that they come late
      expect(loaded).toEqual([30, 33, 30]);
    });

    it("has one on its way at a time, and goes on with what is wanted by then", async () => {
      const { frames, glimpsed, loaded } = setup({ ahead: 0 });
      for (const frame of [20, 40, 60]) {
        frames.want(frame, 1);
        await vi.advanceTimersByTimeAsync(60);
      }
      expect(glimpsed.map((each) => each.frame)).toEqual([20]);
      glimpsed[0].reject();
      await vi.advanceTimersByTimeAsync(0);
      expect(glimpsed.map((each) => each.frame)).toEqual([20, 60]);
      glimpsed[1].resolve(60);
      await vi.advanceTimersByTimeAsync(0);
      expect(loaded).toEqual([60]);
      expect(frames.get(60)?.frame).toBe(60);
      frames.close();
      expect(frames.get(60)).toBeUndefined();
    });
  });
});
