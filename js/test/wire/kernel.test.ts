import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { NothingMore } from "../../src/wire/catalogue";
import { Kernel } from "../../src/wire/kernel";
import { hostOf } from "../host";

type Message = { id: string; kind: string };

describe("a kernel that is listened for", () => {
  let sent: Message[];
  let cut: boolean;
  let wanted: boolean;
  let kernel: Kernel<NothingMore>;
  let told: () => void;

  beforeEach(() => {
    vi.useFakeTimers();
    sent = [];
    cut = false;
    wanted = true;
    kernel = new Kernel<NothingMore>("view", (content) => {
      if (cut) throw new Error("Cannot send");
      sent.push(content as Message);
    });
    kernel.listen(() => wanted);
    const host = hostOf({});
    told = host.connect;
    kernel.follow(host.model, new AbortController().signal);
  });

  afterEach(() => {
    kernel.close();
    vi.useRealTimers();
  });

  const pings = () => sent.filter(({ kind }) => kind === "ping");
  const answer = async () => {
    kernel.receive({ id: pings().at(-1)?.id, ok: true }, []);
    await vi.advanceTimersByTimeAsync(0);
  };

  it.each([0, 100, 249])(
    "is silent within two seconds of its last answer, until it answers (%i)",
    async (later) => {
      await vi.advanceTimersByTimeAsync(250 + later);
      await answer();
      await vi.advanceTimersByTimeAsync(1750);
      expect(kernel.silent.value).toBe(true);
      expect(kernel.gone.value).toBe(false);
      expect(pings()).toHaveLength(2);
      await answer();
      expect(kernel.silent.value).toBe(false);
    },
  );

  it("is left alone where nobody wants to know", async () => {
    wanted = false;
    await vi.advanceTimersByTimeAsync(3_600_000);
    expect(sent).toEqual([]);
  });

  it("is not called silent for what takes a second", async () => {
    await vi.advanceTimersByTimeAsync(1250);
    expect(pings()).toHaveLength(1);
    expect(kernel.silent.value).toBe(false);
  });

  it("finds few messages after an hour of other work", async () => {
    await vi.advanceTimersByTimeAsync(3_600_000);
    expect(pings()).toHaveLength(1);
    expect(sent.length).toBeLessThan(20);
  });

  it("is gone once the host sends no more, and says it once", async () => {
    cut = true;
    told();
    await vi.advanceTimersByTimeAsync(1000);
    expect(kernel.gone.value).toBe(true);
    expect(kernel.closed.value).toBe(false);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(kernel.log.value).toHaveLength(1);
    expect(kernel.silent.value).toBe(false);
  });

  it("is gone for a view that is told so unasked, and for no other reason", () => {
    kernel.receive({ id: null, ok: false, error: { code: "invalid", message: "no." } }, []);
    expect(kernel.gone.value).toBe(false);
    kernel.receive(
      { id: null, ok: false, error: { code: "closed", message: "run it again." } },
      [],
    );
    expect([kernel.gone.value, kernel.closed.value]).toEqual([true, true]);
    expect(kernel.log.value.map(({ message }) => message)).toEqual(["run it again."]);
  });

  it.each(["ping", "hello"])(
    "is gone for a view that it closed, by the answer to a %s",
    async (kind) => {
      if (kind === "hello") void kernel.hello();
      else await vi.advanceTimersByTimeAsync(250);
      void kernel.frame(3).catch((error) => kernel.fail(error));
      for (const { id } of [...sent])
        kernel.receive({ id, ok: false, error: { code: "closed", message: "run it again." } }, []);
      await vi.advanceTimersByTimeAsync(60_000);
      expect([kernel.gone.value, kernel.closed.value]).toEqual([true, true]);
      expect(kernel.log.value.map(({ message }) => message)).toEqual(["run it again."]);
      expect(pings()).toHaveLength(kind === "ping" ? 1 : 0);
    },
  );
});
