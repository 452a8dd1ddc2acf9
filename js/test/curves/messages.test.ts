import { describe, expect, it } from "vitest";
import curves from "../../../evavos_widget/widgets/protocol/curves.json";
import { requestsOf } from "../made";

describe("the curves' catalogue", () => {
  it("has exactly the requests that this side makes", () => {
    expect(requestsOf("curves")).toEqual(Object.keys(curves.requests).sort());
  });

  it("has no pushes, for which there would be no handler", () => {
    expect(curves.pushes).toEqual({});
  });
});
