import { describe, expect, it } from "vitest";
import verifier from "../../../evavos_widget/widgets/protocol/verifier.json";
import { requestsOf } from "../made";

describe("the verifier's catalogue", () => {
  it("has exactly the requests that this side makes", () => {
    expect(requestsOf("verifier")).toEqual(Object.keys(verifier.requests).sort());
  });

  it("has no pushes, for which there would be no handler", () => {
    expect(verifier.pushes).toEqual({});
  });
});
