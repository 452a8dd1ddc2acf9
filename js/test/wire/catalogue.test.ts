import { describe, expect, it } from "vitest";
import common from "../../../evavos_widget/widgets/protocol/common.json";
import type { NothingMore } from "../../src/wire/catalogue";
import { Kernel } from "../../src/wire/kernel";
import { requestsOf } from "../made";

describe("the common catalogue", () => {
  it("has exactly the requests that every widget makes", () => {
    expect(requestsOf("wire")).toEqual(Object.keys(common.requests).sort());
  });

  it("is all that shared folders speak", () => {
    for (const folder of ["masks", "video", "ui", "chart"]) {
      expect(requestsOf(folder), folder).toEqual([]);
    }
  });

  it("has no push without a handler", () => {
    const kernel = new Kernel<NothingMore>("view", () => {});
    const payloads: Record<keyof typeof common.pushes, object> = {
      state: { state: { revision: 3 } },
      log: { level: "warning", message: "a word", time: 0 },
    };
    Object.keys(common.pushes).forEach((kind, i) => {
      const payload = payloads[kind as keyof typeof payloads];
      kernel.receive({ push: i + 1, view: "view", kind, ...payload }, []);
    });
    expect(kernel.state.value?.revision).toBe(3);
    expect(kernel.log.value.map((line) => line.level)).toEqual(["warning"]);
    kernel.close();
  });
});
