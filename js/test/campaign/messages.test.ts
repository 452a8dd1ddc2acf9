import { describe, expect, it } from "vitest";
import campaign from "../../../evavos_widget/widgets/protocol/campaign.json";
import { requestsOf } from "../made";

describe("the campaign's catalogue", () => {
  it("has exactly the requests that this side makes", () => {
    expect(requestsOf("campaign")).toEqual(Object.keys(campaign.requests).sort());
  });

  it("has no pushes, for which there would be no handler", () => {
    expect(Object.keys(campaign.pushes)).toEqual([]);
  });
});
