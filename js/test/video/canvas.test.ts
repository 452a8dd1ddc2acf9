import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Canvas, type Scene } from "../../src/video/canvas";
import { IdleObserver } from "../idle-observer";

/** The little of an element that a canvas needs. */
class FakeElement extends EventTarget {
  readonly captured = new Set<number>();
  readonly classList = { add: () => {} };
  readonly clientLeft = 0;
  readonly clientTop = 0;
  readonly clientWidth = 100;
  readonly clientHeight = 100;
  append() {}
  replaceChildren() {}
  setAttribute() {}
  getContext() {
    return { canvas: {} };
  }
  getBoundingClientRect() {
    return { left: 0, top: 0 };
  }
  getRootNode() {
    return page;
  }
  focus() {
    page.activeElement = this;
  }
  setPointerCapture(id: number) {
    this.captured.add(id);
  }
  releasePointerCapture(id: number) {
    this.captured.delete(id);
  }
  hasPointerCapture(id: number) {
    return this.captured.has(id);
  }
}

const page = { activeElement: null as FakeElement | null };
let element: FakeElement;
let abort: AbortController;

beforeEach(() => {
  page.activeElement = null;
  element = new FakeElement();
  abort = new AbortController();
  vi.stubGlobal("document", { createElement: () => new FakeElement() });
  vi.stubGlobal("window", globalThis);
  vi.stubGlobal("WheelEvent", { DOM_DELTA_LINE: 1 });
  vi.stubGlobal("matchMedia", () => new EventTarget());
  vi.stubGlobal("requestAnimationFrame", () => 1);
  vi.stubGlobal("cancelAnimationFrame", () => {});
  vi.stubGlobal("ResizeObserver", IdleObserver);
});

afterEach(() => {
  abort.abort();
  vi.unstubAllGlobals();
});

const canvasOn = (scene: Partial<Scene>) => {
  const canvas = new Canvas(
    element as unknown as HTMLElement,
    { image: { width: 100, height: 100 }, picture: () => undefined, failed: () => {}, ...scene },
    abort.signal,
  );
  canvas.viewport.resize({ width: 100, height: 100 }, 1);
  return canvas;
};

const send = (type: string, what: object) =>
  element.dispatchEvent(
    Object.assign(new Event(type, { cancelable: true }), { button: 0, deltaMode: 0 }, what),
  );

describe("a picture that is a part of something", () => {
  let whole: FakeElement;
  let canvas: Canvas;

  beforeEach(() => {
    whole = new FakeElement();
    canvas = canvasOn({ keys: whole as unknown as HTMLElement });
  });

  it("gives the keys to the whole where it is pressed", () => {
    send("pointerdown", { pointerId: 1, pointerType: "mouse", clientX: 10, clientY: 10 });
    expect(page.activeElement).toBe(whole);
  });

  it("is zoomed by the wheel while the whole has the focus, and not before", () => {
    const { scale } = canvas.viewport.view;
    const wheel = () => send("wheel", { deltaY: -300, clientX: 10, clientY: 10 });
    wheel();
    expect(canvas.viewport.view.scale).toBe(scale);
    whole.focus();
    wheel();
    expect(canvas.viewport.view.scale).toBeCloseTo(2 * scale);
  });
});

describe("a gesture", () => {
  let told: string[];
  let canvas: Canvas;

  const pointer = (type: string, id: number, kind: string, x: number) =>
    send(type, { pointerId: id, pointerType: kind, clientX: x, clientY: 50 });
  const pen = (type: string, x: number) => pointer(type, 1, "pen", x);
  const touch = (type: string, id: number, x: number) => pointer(type, id, "touch", x);

  beforeEach(() => {
    vi.useFakeTimers();
    told = [];
    canvas = canvasOn({
      pointer: {
        pans: () => false,
        down: (at) => told.push(`down ${Math.ceil(at.x)}`),
        move: (at) => told.push(`move ${Math.ceil(at.x)}`),
        up: (at) => told.push(`up ${Math.ceil(at.x)}`),
        cancel: () => told.push("cancel"),
      },
    });
  });

  afterEach(() => vi.useRealTimers());

  const STROKE = ["down 10", "move 20", "move 30", "up 30"];

  it.each([
    ["rests there", []],
    ["is taken away by the browser", [["pointercancel", 2, 80]]],
    [
      "is lifted",
      [
        ["pointerup", 2, 80],
        ["pointerleave", 2, 80],
      ],
    ],
    ["moves", [["pointermove", 2, 60]]],
    [
      "lies on the screen with two points",
      [
        ["pointerdown", 3, 60],
        ["pointermove", 3, 40],
      ],
    ],
  ] as [string, [string, number, number][]][])(
    "of the pen is its own while the hand beside it %s",
    (_, events) => {
      for (const first of [true, false]) {
        told = [];
        if (first) touch("pointerdown", 2, 80);
        pen("pointerdown", 10);
        if (!first) touch("pointerdown", 2, 80);
        told = told.filter((each) => each !== "cancel"); // Nothing was drawn before the pen.
        pen("pointermove", 20);
        for (const [type, id, x] of events) touch(type, id, x);
        vi.advanceTimersByTime(1000);
        expect(canvas.pointer?.x).toBe(20);
        pen("pointermove", 30);
        pen("pointerup", 30);
        expect(told).toEqual(STROKE);
        for (const id of [2, 3]) touch("pointerup", id, 80);
        expect(told).toEqual(STROKE);
      }
    },
  );

  it("of a finger is given up for the pen", () => {
    touch("pointerdown", 2, 80);
    touch("pointermove", 2, 90);
    pen("pointerdown", 10);
    expect(told.slice(-2)).toEqual(["cancel", "down 10"]);
  });

  it("of a finger is not that of a mouse which moves meanwhile", () => {
    touch("pointerdown", 2, 80);
    pointer("pointermove", 1, "mouse", 10);
    expect(told).toEqual([]);
    touch("pointerup", 2, 80);
    expect(told).toEqual(["down 80", "up 80"]);
  });

  it("of one finger is given up for that of two, which zooms", () => {
    touch("pointerdown", 2, 40);
    touch("pointermove", 2, 50);
    touch("pointerdown", 3, 60);
    touch("pointermove", 3, 80);
    touch("pointerup", 3, 80);
    touch("pointerup", 2, 50);
    expect(told).toEqual(["down 40", "move 50", "cancel"]);
    expect(canvas.viewport.view.scale).toBeCloseTo(3);
    touch("pointerdown", 4, 40);
    touch("pointerup", 4, 40);
    expect(told.slice(3).map((each) => each.split(" ")[0])).toEqual(["down", "up"]);
  });

  it("ends where the browser takes its pointer away", () => {
    pen("pointerdown", 10);
    pen("pointercancel", 10);
    pen("pointermove", 20);
    expect(told).toEqual(["down 10", "cancel"]);
  });
});

describe("a picture that stands alone", () => {
  it("has the keys itself", () => {
    canvasOn({});
    send("pointerdown", { pointerId: 1, pointerType: "mouse", clientX: 10, clientY: 10 });
    expect(page.activeElement).toBe(element);
  });
});
