import { describe, expect, it } from "vitest";
import policy from "../../../evavos_widget/widgets/protocol/policy.json";
import { requestsOf } from "../made";

describe("the policy explorer's catalogue", () => {
  it("has exactly the requests that this side makes", () => {
    expect(requestsOf("policy")).toEqual(Object.keys(policy.requests).sort());
  });

  it("has the one push for which there is a handler", () => {
    expect(Object.keys(policy.pushes)).toEqual(["whatif"]);
  });
});
