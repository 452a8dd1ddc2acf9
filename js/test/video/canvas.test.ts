import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Canvas, type Scene } from "../../src/video/canvas";

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
  vi.stubGlobal(
    "ResizeObserver",
    class {
      observe() {}
      disconnect() {}
    },
  );
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

describe("a picture that stands alone", () => {
  it("has the keys itself", () => {
    canvasOn({});
    send("pointerdown", { pointerId: 1, pointerType: "mouse", clientX: 10, clientY: 10 });
    expect(page.activeElement).toBe(element);
  });
});
