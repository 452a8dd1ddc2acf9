import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Layout } from "../../src/campaign/layout";
import { type CampaignTraits, View } from "../../src/campaign/view";
import { type Host, hostOf, root, words } from "../host";

vi.mock("../../src/ui/theme", () => ({ rootTheme: () => ({ value: "light" }) }));

let host: Host<CampaignTraits>;
let view: View;

beforeEach(() => {
  vi.useFakeTimers();
  host = hostOf<CampaignTraits>({ theme: "auto" });
  view = new View(host.model, root(), "view");
  view.start();
});

afterEach(() => {
  view.close();
  vi.useRealTimers();
});

describe("a campaign whose kernel is no more", () => {
  it("opens nothing any longer", async () => {
    void view.open("morning");
    host.cut = true;
    expect(view.opening.value).toBe("morning");
    await vi.advanceTimersByTimeAsync(5000);
    expect(view.opening.value).toBeNull();
  });

  it("hears it from its host before the first state, and says it", async () => {
    expect(words(Layout({ view }))).toContain("Waiting for the kernel");
    host.cut = true;
    host.connect();
    await vi.advanceTimersByTimeAsync(0);
    expect(words(Layout({ view })).trim()).toBe("The kernel is no more; run the cell again.");
  });
});

describe("a small picture that did not come", () => {
  it("is asked for again", async () => {
    const asked = () => host.sent.filter(({ kind }) => kind === "thumb.get");
    const first = view.picture("morning");
    expect(view.picture("morning")).toBe(first);
    const error = { code: "io", message: "the video is not there." };
    view.kernel.receive({ id: asked()[0].id, ok: false, error }, []);
    expect(await first).toBeNull();
    void view.picture("morning");
    expect(asked()).toHaveLength(2);
  });
});

describe("a campaign that waits for its first state", () => {
  it("says what went wrong, until something is tried anew", async () => {
    const error = { code: "failed", message: "the folder is gone." };
    view.kernel.receive({ id: host.sent[0].id, ok: false, error }, []);
    await vi.advanceTimersByTimeAsync(0);
    expect(words(Layout({ view }))).toContain("the folder is gone.");
    void view.open("morning");
    expect(words(Layout({ view }))).not.toContain("the folder is gone.");
  });
});

describe("the video that is next", () => {
  const said = () => words(Layout({ view })).replaceAll(/\s+/g, " ");
  const queue = { entries: [], seconds: 0, budget: null, target: 0.85, measured: 1 };

  it("is opened by the button on top, which says where it is once it is open", () => {
    view.kernel.state.value = { ...queue, next: "morning", open: "evening" };
    expect(said()).toContain("Go on with morning");
    expect(said()).not.toContain("below");
    view.kernel.state.value = { ...queue, next: "morning", open: "morning" };
    expect(said()).toContain("Go on with morning below");
  });
});
