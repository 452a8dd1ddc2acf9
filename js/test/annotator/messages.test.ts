/// <reference types="vite/client" />

import { describe, expect, it } from "vitest";
import annotator from "../../../evavos_widget/widgets/protocol/annotator.json";
import common from "../../../evavos_widget/widgets/protocol/common.json";
import { Kernel } from "../../src/wire/kernel";

const catalogue = {
  requests: { ...common.requests, ...annotator.requests },
  pushes: { ...common.pushes, ...annotator.pushes },
};

const sources = Object.values(
  import.meta.glob<string>("../../src/**/*.{ts,tsx}", {
    query: "?raw",
    import: "default",
    eager: true,
  }),
).join("\n");

describe("the catalogue", () => {
  it("has exactly the requests that this side makes", () => {
    const made = [...sources.matchAll(/\.(?:request|ask|post)\(\s*"([\w.]+)"/g)].map((m) => m[1]);
    expect([...new Set(made)].sort()).toEqual(Object.keys(catalogue.requests).sort());
  });

  it("has no push without a handler", () => {
    const masks: unknown[] = [];
    const kernel = new Kernel(
      "view",
      () => {},
      (places) => masks.push(places),
    );
    const payloads: Record<keyof typeof catalogue.pushes, object> = {
      state: { state: { revision: 3, objects: [], job: { phase: "idle" } } },
      "mask.update": { masks: [] },
      job: { job: { phase: "running" } },
      log: { level: "warning", message: "a word", time: 0 },
    };
    Object.keys(catalogue.pushes).forEach((kind, i) => {
      const payload = payloads[kind as keyof typeof payloads];
      kernel.receive({ push: i + 1, view: "view", kind, ...payload }, []);
    });
    expect(kernel.state.value?.revision).toBe(3);
    expect(masks).toHaveLength(1);
    expect(kernel.job.value.phase).toBe("running");
    expect(kernel.log.value.map((line) => line.level)).toEqual(["warning"]);
    kernel.close();
  });
});

describe("the kernel's state", () => {
  it("does not go back when an older one arrives late", () => {
    const kernel = new Kernel(
      "view",
      () => {},
      () => {},
    );
    const push = (push: number, revision: number) =>
      kernel.receive(
        { push, view: "view", kind: "state", state: { revision, objects: [], job: {} } } as never,
        [],
      );
    push(1, 5);
    push(2, 4);
    expect(kernel.state.value?.revision).toBe(5);
    kernel.close();
  });

  it("shows every error in the log, but not what was merely given up", async () => {
    const kernel = new Kernel(
      "view",
      () => {
        throw new Error("closed");
      },
      () => {},
    );
    expect(await kernel.ask("history.undo", {})).toBeNull();
    expect(kernel.log.value[0].message).toContain("run the cell again");
    kernel.fail(new DOMException("", "AbortError"));
    expect(kernel.log.value).toHaveLength(1);
    kernel.close();
  });
});
