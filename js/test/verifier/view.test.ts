import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { ACTIONS } from "../../src/verifier/actions";
import { Foot } from "../../src/verifier/foot";
import type { ObjectInfo, State } from "../../src/verifier/messages";
import type { VerifierTraits } from "../../src/verifier/traits";
import { View } from "../../src/verifier/view";
import { type Host, hostOf, root, words } from "../host";

vi.mock("../../src/ui/theme", () => ({ rootTheme: () => ({ value: "light" }) }));

let host: Host<Partial<VerifierTraits>>;
let view: View;
let pushed: number;

const object = (id: number, skipped = false): ObjectInfo => ({
  id,
  name: `object ${id}`,
  color: "#e69f00",
  skipped,
  answers: "..",
});

const push = (...objects: ObjectInfo[]) => {
  const rest = { phase: "ready", done: 1, total: 1, seconds_per_point: null, agreement: null };
  const state = { ...rest, revision: 1, saved: null, objects } as State;
  view.kernel.receive({ push: ++pushed, view: "view", kind: "state", state } as never, []);
};

const asked = (kind: string) => host.sent.filter((each) => each.kind === kind);

const answer = (kind: string, reply: object) => {
  view.kernel.receive({ id: asked(kind).at(-1)?.id, ...reply }, []);
  return vi.advanceTimersByTimeAsync(0);
};

const refusal = { ok: false, error: { code: "io", message: "the disk is full." } };

beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal("window", { addEventListener: () => {} });
  pushed = 0;
  const video = { name: "clip", n_frames: 3, height: 4, width: 6, fps: 25 };
  host = hostOf<Partial<VerifierTraits>>({ video, crop: 64, read_only: false, theme: "auto" });
  view = new View(host.model as never, root(), "view", ACTIONS);
  view.start();
});

afterEach(() => {
  view.close();
  vi.useRealTimers();
});

describe("an object that is skipped", () => {
  it("is in hand until the kernel has put it off", async () => {
    push(object(1), object(2));
    expect(view.object.value).toBe(1);
    void view.skip();
    expect(view.announcement.value).toBe("");
    await answer("object.skip", refusal);
    expect([view.object.value, view.announcement.value]).toEqual([1, ""]);
    void view.skip();
    await answer("object.skip", { ok: true });
    push(object(1, true), object(2));
    expect([view.object.value, view.announcement.value]).toEqual([2, "object 1 put off"]);
  });
});

describe("an object of which nothing can be shown any more", () => {
  it("can be skipped, so that the others have their turn", async () => {
    push(object(1), object(2));
    const skip = ACTIONS.get("skip");
    await answer("questions.get", refusal);
    expect([view.stage.value, view.object.value]).toEqual(["waiting", 1]);
    expect(skip.enabled?.(view)).toBe(true);
    void view.skip();
    await answer("object.skip", { ok: true });
    push(object(1, true), object(2));
    expect(view.object.value).toBe(2);
    push(object(1, true), object(2, true));
    expect(skip.enabled?.(view)).toBe(false);
  });
});

describe("how many are answered", () => {
  const foot = () => words(Foot({ view })).replaceAll(/\s+/g, " ");
  const half = (id: number, skipped = false) => ({ ...object(id, skipped), answers: "+." });

  it("counts what was skipped", () => {
    push(half(1), half(2));
    expect(foot()).toContain("2 of 4 answered");
    expect(foot()).not.toContain("skipped");
    push(half(1), half(2, true));
    expect(foot()).toContain("2 of 4 answered , 1 skipped");
  });
});

describe("questions that did not come", () => {
  it("are asked for again, while they are wanted", async () => {
    push(object(1));
    await answer("questions.get", refusal);
    expect(asked("questions.get")).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(5000);
    expect(asked("questions.get")).toHaveLength(2);
    await answer("questions.get", refusal);
    push(object(1, true));
    await vi.advanceTimersByTimeAsync(60_000);
    expect(asked("questions.get")).toHaveLength(2);
  });
});

/** Somebody looks at what is on the screen, for so many milliseconds. */
const look = (ms: number) => {
  view.sight.painted();
  vi.advanceTimersByTime(ms);
};

/** The questions of the object in hand come. */
async function questions() {
  const id = asked("questions.get").at(-1)?.id;
  const points = [0, 1].map((x) => [0, x, 0, 0]);
  const runs = new DataView(Uint32Array.of(24).buffer);
  view.kernel.receive({ id, ok: true, frame: 0, questions: points } as never, [runs]);
  await vi.advanceTimersByTimeAsync(0);
}

/** They come, and somebody begins with the object. */
async function begin() {
  await questions();
  look(1000);
  view.begin();
}

describe("the way back", () => {
  const { run, enabled } = ACTIONS.get("back");
  const said = (id: number, answers: string, skipped = false) => ({
    ...object(id, skipped),
    answers,
  });
  const here = () => `${view.object.value}:${view.place.value}`;
  /** Where it leads, step by step. */
  const steps = () => {
    const places: string[] = [];
    while (enabled?.(view) && places.length < 9) {
      run(view);
      places.push(here());
    }
    return places;
  };

  it("leads from an object to the last point of the one before, begun or not", async () => {
    push(said(1, "++"), said(2, ".."));
    expect([here(), view.stage.value]).toEqual(["2:0", "waiting"]);
    await begin();
    expect(view.stage.value).toBe("question");
    expect(steps()).toEqual(["1:1", "1:0"]);
  });

  it("leads from where an object is only shown to the one before", async () => {
    push(said(1, "++"), said(2, "+."));
    await questions();
    expect([here(), view.stage.value]).toEqual(["2:1", "localisation"]);
    expect(steps()[0]).toBe("1:1");
  });

  it("passes by what is skipped, or has no points, and ends at the first", () => {
    push(said(1, "+"), said(2, "++", true), said(3, ""), said(4, "++"));
    expect(view.stage.value).toBe("done");
    expect(steps()).toEqual(["4:1", "4:0", "1:0"]);
  });

  it("is none where every object is skipped", () => {
    push(said(1, "..", true));
    expect([view.stage.value, enabled?.(view)]).toEqual(["done", false]);
  });
});

describe("a look at the object", () => {
  const { run, enabled } = ACTIONS.get("remind");

  beforeEach(async () => {
    Object.defineProperty(view, "picture", { get: () => ({}) });
    push(object(1), object(2));
    await begin();
    look(100);
    run(view);
    look(100);
  });

  it.each(["positive", "negative"] as const)("ends with an answer, %s, of no point", (label) => {
    expect(view.localises).toBe(true);
    expect(ACTIONS.get(`answer.${label}`).enabled?.(view)).toBe(true);
    void view.answer(label);
    expect(view.localises).toBe(false);
    expect(asked("point.answer")).toEqual([]);
    look(100);
    void view.answer(label);
    expect(asked("point.answer")).toHaveLength(1);
  });

  it("is of this object only", async () => {
    push(object(1, true), object(2));
    await begin();
    expect([view.object.value, view.stage.value, view.localises]).toEqual([2, "question", false]);
    expect(enabled?.(view)).toBe(true);
  });

  it("does not last until the object is taken up again", async () => {
    push(object(1, true), object(2, true));
    expect(view.stage.value).toBe("done");
    push(object(1), object(2, true));
    expect([view.object.value, view.stage.value, view.localises]).toEqual([1, "question", false]);
  });
});

describe("the seconds of an answer", () => {
  const seconds = () => asked("point.answer").map((each) => (each as { seconds?: number }).seconds);

  beforeEach(async () => {
    Object.defineProperty(view, "picture", { get: () => ({}) });
    push(object(1));
    await begin();
  });

  it("begin when its point is shown, and go on after a look at the object", () => {
    look(4000);
    view.reminding.value = true;
    look(2000);
    view.reminding.value = false;
    look(500);
    void view.answer("positive");
    look(700);
    void view.answer("negative");
    expect(seconds()).toEqual([6.5, 0.7]);
  });

  it("leave a pause out, and nothing before it", () => {
    look(3000);
    view.togglePause();
    look(5000);
    view.togglePause();
    look(1000);
    void view.answer("positive");
    expect(seconds()).toEqual([4]);
  });

  it("begin anew where somebody comes back to a point", () => {
    look(1000);
    void view.answer("positive");
    look(2000);
    view.back();
    look(300);
    void view.answer("negative");
    expect(seconds()).toEqual([1, 0.3]);
  });
});
