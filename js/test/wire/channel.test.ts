import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { CREDIT_WINDOW, MAX_UPLOAD_BYTES, PROTOCOL_VERSION } from "../../src/wire/catalogue";
import { Channel, isAbort, KernelError } from "../../src/wire/channel";

interface Sent extends Record<string, unknown> {
  id: string;
  kind: string;
}

let sent: Sent[];
let pushed: unknown[];
let failures: unknown[];
let channel: Channel;

beforeEach(() => {
  vi.useFakeTimers();
  sent = [];
  pushed = [];
  failures = [];
  const take = (payload: unknown) => pushed.push(payload);
  channel = new Channel(
    "view",
    (content) => sent.push(content as Sent),
    new Map([
      ["state", take],
      ["job", take],
      [
        "log",
        () => {
          throw new Error("a handler that fails");
        },
      ],
      ["mask.update", take],
    ]),
    () => {},
    (error) => failures.push(error),
  );
});
afterEach(() => vi.useRealTimers());

const last = () => sent[sent.length - 1];
const push = (number: number, kind = "job", view = "view") =>
  channel.receive({ push: number, kind, view }, []);

describe("a request", () => {
  it("carries version, kind, fields and an id that names the view", () => {
    void channel.request("frame.get", { frame: 3 });
    expect(last()).toEqual({ v: PROTOCOL_VERSION, id: "view:1", kind: "frame.get", frame: 3 });
  });

  it("gets its own answer, whatever the order", async () => {
    const first = channel.request("frame.get", { frame: 1 });
    const second = channel.request("frame.get", { frame: 2 });
    const answer = (id: string, frame: number) =>
      channel.receive({ id, ok: true, frame } as never, [new DataView(new ArrayBuffer(frame))]);
    answer("view:2", 2);
    answer("view:1", 1);
    expect((await first).fields).toMatchObject({ frame: 1 });
    expect((await second).buffers[0].byteLength).toBe(2);
    expect(channel.busy).toBe(false);
  });

  it("ends in the kernel's own words when it cannot be answered", async () => {
    const request = channel.request("object.remove", { object: 9 });
    channel.receive({ id: "view:1", ok: false, error: { code: "invalid", message: "no 9" } }, []);
    await expect(request).rejects.toMatchObject({ code: "invalid", message: "no 9" });
  });

  it("is given up at once, and the kernel is told; a late answer is nobody's", async () => {
    const abort = new AbortController();
    const request = channel.request("frame.get", { frame: 1 }, { signal: abort.signal });
    abort.abort();
    await expect(request).rejects.toSatisfy(isAbort);
    expect(last()).toMatchObject({ kind: "cancel", target: "view:1" });
    channel.receive({ id: "view:1", ok: true }, []);
    expect(channel.busy).toBe(false);
  });

  it("is not sent at all when it was given up before", async () => {
    const request = channel.request("frame.get", { frame: 1 }, { signal: AbortSignal.abort() });
    await expect(request).rejects.toSatisfy(isAbort);
    expect(sent).toHaveLength(0);
  });

  it("that is too large for a server is refused here", async () => {
    const buffers = [new Uint8Array(MAX_UPLOAD_BYTES + 1)];
    const request = channel.request("export.run", { format: "x", path: null }, { buffers });
    await expect(request).rejects.toMatchObject({ code: "too_large" });
    expect(sent).toHaveLength(0);
  });

  it("names the kernel when the line is dead", async () => {
    const dead = new Channel(
      "view",
      () => {
        throw new Error("comm is closed");
      },
      new Map(),
      () => {},
      () => {},
    );
    await expect(dead.request("history.undo", {})).rejects.toBeInstanceOf(KernelError);
    expect(dead.busy).toBe(false);
  });

  it("leaves answers to other views alone", () => {
    void channel.request("history.undo", {});
    channel.receive({ id: "other:1", ok: true }, []);
    expect(channel.busy).toBe(true);
  });

  it("tells how long the oldest has waited, slow ones aside", () => {
    void channel.request("export.run", { format: "davis", path: null }, { slow: true });
    vi.advanceTimersByTime(5000);
    expect(channel.waiting(performance.now())).toBe(0);
    void channel.request("history.undo", {});
    vi.advanceTimersByTime(1500);
    expect(channel.waiting(performance.now())).toBe(1500);
  });
});

describe("pushes", () => {
  it("are taken by the view they name", () => {
    push(1);
    push(1, "job", "other");
    expect(pushed).toHaveLength(1);
  });

  it("are acknowledged before the window closes, and the rest of a burst soon after", () => {
    for (let number = 1; number <= CREDIT_WINDOW / 2 + 1; number++) push(number);
    expect(sent.map((s) => [s.kind, s.push])).toEqual([["ack", CREDIT_WINDOW / 2]]);
    vi.advanceTimersByTime(1000);
    expect(last()).toMatchObject({ kind: "ack", push: CREDIT_WINDOW / 2 + 1 });
    vi.advanceTimersByTime(1000);
    expect(sent).toHaveLength(2);
  });

  it("are acknowledged even when handling one fails, or its kind is unknown", () => {
    push(1, "log");
    push(2, "nonsense");
    vi.advanceTimersByTime(1000);
    expect(failures).toHaveLength(2);
    expect(String(failures[1])).toContain("nonsense");
    expect(last()).toMatchObject({ kind: "ack", push: 2 });
  });
});

it("a closed channel says goodbye and hears nothing more", () => {
  push(1);
  channel.close();
  expect(last()).toMatchObject({ kind: "bye", view: "view" });
  push(2);
  vi.advanceTimersByTime(1000);
  expect(pushed).toHaveLength(1);
  expect(last().kind).toBe("bye");
});
