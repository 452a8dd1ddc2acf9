import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Layout } from "../../src/policy/layout";
import type { PolicyTraits } from "../../src/policy/traits";
import { View } from "../../src/policy/view";
import { type Host, hostOf, root, words } from "../host";

vi.mock("../../src/ui/theme", () => ({ rootTheme: () => ({ value: "light" }) }));

let host: Host<Partial<PolicyTraits>>;
let view: View;

beforeEach(() => {
  vi.useFakeTimers();
  host = hostOf<Partial<PolicyTraits>>({ round: 0, object: 1, frame: 0, theme: "auto" });
  view = new View(host.model as never, root(), "view");
  view.start();
});

afterEach(() => {
  view.close();
  vi.useRealTimers();
});

describe("a policy whose kernel is no more", () => {
  it("compares nothing any longer", async () => {
    void view.compareSides();
    host.cut = true;
    expect(view.comparing.value).toBe(true);
    await vi.advanceTimersByTimeAsync(5000);
    expect(view.comparing.value).toBe(false);
  });

  it("hears it from its host before the first state, and says it", async () => {
    expect(words(Layout({ view }))).toContain("Waiting for the kernel");
    host.cut = true;
    host.connect();
    await vi.advanceTimersByTimeAsync(0);
    expect(words(Layout({ view })).trim()).toBe("The kernel is no more; run the cell again.");
  });
});
