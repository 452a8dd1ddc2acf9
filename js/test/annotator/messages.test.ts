import { describe, expect, it } from "vitest";
import annotator from "../../../evavos_widget/widgets/protocol/annotator.json";
import { AnnotatorKernel } from "../../src/annotator/annotator-kernel";
import { requestsOf } from "../made";

describe("the annotator's catalogue", () => {
  it("has exactly the requests that this side makes", () => {
    expect(requestsOf("annotator")).toEqual(Object.keys(annotator.requests).sort());
  });

  it("has no push without a handler", () => {
    const masks: unknown[] = [];
    const kernel = new AnnotatorKernel(
      "view",
      () => {},
      (places) => masks.push(places),
    );
    const payloads: Record<keyof typeof annotator.pushes, object> = {
      "mask.update": { masks: [] },
      job: { job: { phase: "running" } },
    };
    Object.keys(annotator.pushes).forEach((kind, i) => {
      const payload = payloads[kind as keyof typeof payloads];
      kernel.receive({ push: i + 1, view: "view", kind, ...payload }, []);
    });
    expect(masks).toHaveLength(1);
    expect(kernel.job.value.phase).toBe("running");
    expect(kernel.log.value).toEqual([]);
    kernel.close();
  });
});

describe("the kernel's state", () => {
  it("does not go back when an older one arrives late", () => {
    const kernel = new AnnotatorKernel(
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
    const kernel = new AnnotatorKernel(
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
