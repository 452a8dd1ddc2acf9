import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { AnnotatorKernel } from "../../src/annotator/annotator-kernel";

let reachable: boolean;
let sent: { id: string; kind: string }[];
let kernel: AnnotatorKernel;

beforeEach(() => {
  vi.useFakeTimers();
  reachable = true;
  sent = [];
  kernel = new AnnotatorKernel(
    "view",
    (content) => {
      if (!reachable) throw new Error("Cannot send");
      sent.push(content as (typeof sent)[0]);
    },
    () => {},
  );
});
afterEach(() => {
  kernel.close();
  vi.useRealTimers();
});

describe("a kernel that is busy", () => {
  it("is said to be so, and asked now and then whether it is there", async () => {
    const answer = kernel.ask("history.undo", {});
    vi.advanceTimersByTime(900);
    expect(kernel.busy.value).toBe(false);
    vi.advanceTimersByTime(20_000);
    expect(kernel.busy.value).toBe(true);
    expect(sent.filter(({ kind }) => kind === "cancel").length).toBeLessThan(6);
    kernel.receive({ id: "view:1", ok: true }, []);
    expect((await answer)?.fields).toBeDefined();
    expect(kernel.busy.value).toBe(false);
    expect(kernel.gone.value).toBe(false);
  });
});

describe("what is asked once", () => {
  it("goes out once until it is answered, or refused", async () => {
    const here = { frame: 3, object: 1 };
    const count = () => sent.filter(({ kind }) => kind === "annotation.remove").length;
    void kernel.askOnce("annotation.remove", here);
    void kernel.askOnce("annotation.remove", here);
    void kernel.askOnce("annotation.remove", { ...here, object: 2 });
    expect(count()).toBe(2);
    const error = { code: "invalid", message: "no." };
    kernel.receive({ id: "view:1", ok: false, error }, []);
    await vi.advanceTimersByTimeAsync(0);
    void kernel.askOnce("annotation.remove", here);
    expect(count()).toBe(3);
  });
});

describe("a kernel that is no more", () => {
  it("is found out while something waits, which is given up", async () => {
    const failed = kernel.request("object.add", { name: null });
    const told = kernel.ask("history.undo", {});
    const refused = expect(failed).rejects.toMatchObject({ code: "gone" });
    vi.advanceTimersByTime(1500);
    reachable = false;
    vi.advanceTimersByTime(7000);
    await refused;
    expect(await told).toBeNull();
    expect(kernel.gone.value).toBe(true);
    expect(kernel.busy.value).toBe(false);
    expect(kernel.log.value.map(({ message }) => message)).toEqual([
      "Disconnected: run the cell again.",
    ]);
  });

  it("ends the pass that it no longer runs, and is told of once", async () => {
    const job = { phase: "running", name: "", done: 1, total: 9, remaining_seconds: 8 };
    kernel.receive(
      { push: 1, view: "view", kind: "job", job: { ...job, message: "" } } as never,
      [],
    );
    expect(kernel.job.value.phase).toBe("running");
    reachable = false;
    await kernel.ask("history.undo", {});
    await kernel.ask("history.redo", {});
    expect(kernel.job.value.phase).toBe("idle");
    expect(kernel.log.value).toHaveLength(1);
  });
});
