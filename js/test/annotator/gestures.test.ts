import { signal } from "@preact/signals";
import { beforeEach, describe, expect, it, vi } from "vitest";
import type { Editor } from "../../src/annotator/editing/editor";
import { Gestures, reachOf } from "../../src/annotator/editing/gestures";
import type { Tool } from "../../src/annotator/messages";

const IMAGE = { width: 100, height: 80 };
const REACH = reachOf(1);

let said: unknown[][];
let tool: ReturnType<typeof signal<Tool>>;
let vertices: { x: number; y: number }[];
let gestures: Gestures;

/** An editor that writes down what it is told; its open outline has `vertices`. */
function listeningEditor(): Editor {
  const say =
    (what: string) =>
    (...details: unknown[]) => {
      said.push([what, ...details]);
      return Promise.resolve();
    };
  return {
    tool,
    objects: { mayEdit: () => true },
    drafts: { current: signal({ path: { vertices, value: 1 } }) },
    click: say("click"),
    box: say("box"),
    scribble: say("scribble"),
    vertex: say("vertex"),
    fill: say("fill"),
    pick: say("pick"),
    finishPolygon: say("finish"),
    take: say("take"),
    moveVertex: say("move"),
    endMove: say("end"),
    cancelMove: say("cancel"),
    vertexAt: (at: { x: number; y: number }, reach: number) => {
      const vertex = vertices.findIndex((v) => Math.hypot(v.x - at.x, v.y - at.y) <= reach);
      return vertex < 0 ? null : { polygon: -1, vertex };
    },
    stroke: (erase: boolean) => {
      said.push(["stroke", erase]);
      return { extend: say("extend"), end: say("end"), cancel: say("cancel") };
    },
  } as unknown as Editor;
}

beforeEach(() => {
  said = [];
  tool = signal<Tool>("clicks");
  vertices = [];
  gestures = new Gestures(listeningEditor(), IMAGE, () => {});
});

const place = (x: number, y: number, negative = false) => gestures.place({ x, y }, negative);
const drag = (...points: [number, number][]) => {
  points.forEach(([x, y], i) => {
    if (i === 0) gestures.down({ x, y }, false, REACH);
    else gestures.move({ x, y });
  });
  const [x, y] = points[points.length - 1];
  gestures.up({ x, y });
};

describe("gestures", () => {
  it("clicks within the picture only", () => {
    drag([10, 10]);
    drag([-20, 10]);
    expect(said).toEqual([["click", { x: 10, y: 10 }, true]]);
  });

  it("draws a box either way, cut to the picture, and none of a mere click", () => {
    tool.value = "box";
    drag([60, 50], [-10, 20]);
    drag([10, 10], [11, 11]);
    expect(said).toEqual([["box", [0, 20, 60, 50]]]);
  });

  it("draws a box around what is small in the picture, where it is large on the screen", () => {
    tool.value = "box";
    gestures.down({ x: 10, y: 10 }, false, reachOf(10));
    gestures.move({ x: 12, y: 12 });
    gestures.up({ x: 12, y: 12 });
    gestures.down({ x: 30, y: 30 }, false, reachOf(0.25)); // 2 pixels of the screen
    gestures.up({ x: 38, y: 38 });
    place(5, 5);
    place(6, 6);
    place(7, 7);
    place(7, 9);
    expect(said).toEqual([
      ["box", [10, 10, 12, 12]],
      ["box", [5, 5, 6, 6]],
    ]);
  });

  it("places the corners of a box one after the other, and gives a begun one up", () => {
    tool.value = "box";
    place(10, 10);
    expect(gestures.current?.kind).toBe("box");
    gestures.follow({ x: 30, y: 40 });
    expect(gestures.current).toMatchObject({ to: { x: 30, y: 40 } });
    place(50, 40);
    place(0, 0);
    gestures.cancel();
    expect(gestures.current).toBeNull();
    expect(said).toEqual([["box", [10, 10, 50, 40]]]);
  });

  it("does not take the pointer's moves for those of the crosshair", () => {
    tool.value = "brush";
    place(10, 10, true);
    gestures.follow({ x: 30, y: 10 });
    expect(said).toEqual([
      ["stroke", true],
      ["extend", expect.anything()],
      ["extend", expect.anything()],
      ["end"],
    ]);
  });

  it("thins a scribble out and keeps what lies in the picture", () => {
    tool.value = "scribble";
    drag([97, 10], [98, 10], [99, 10.5], [101, 10], [110, 10]);
    expect(said).toEqual([["scribble", [{ x: 97, y: 10 }], true]]);
  });

  it("places corners however near they are to others", () => {
    tool.value = "polygon";
    const corners = Array.from(
      { length: 40 },
      (_, i) => [10 + 3 * (i % 20), 10 + (i % 2)] as const,
    );
    for (const [x, y] of corners) {
      drag([x, y]);
      vertices.push({ x, y });
    }
    expect(said.map(([what, at]) => [what, at])).toEqual(
      corners.map(([x, y]) => ["vertex", { x, y }]),
    );
  });

  it("ends an outline by a second click at the same place, and begins none by it", () => {
    tool.value = "polygon";
    drag([50, 50]);
    drag([51, 50]);
    drag([51, 50]);
    expect(said.map(([what]) => what)).toEqual(["vertex", "finish", "vertex"]);
  });

  it("has more patience with where a finger comes down the second time", () => {
    tool.value = "polygon";
    for (const finger of [false, true]) {
      for (const x of [20, 30]) {
        gestures.down({ x, y: 50 }, false, reachOf(1, finger));
        gestures.up({ x, y: 50 });
      }
      gestures.rest();
    }
    expect(said.map(([what]) => what)).toEqual(["vertex", "vertex", "vertex", "finish"]);
  });

  it("takes two clicks at the same place with a pause between them for two corners", () => {
    vi.useFakeTimers();
    tool.value = "polygon";
    drag([50, 50]);
    vi.advanceTimersByTime(500);
    drag([50, 50]);
    vi.useRealTimers();
    expect(said.map(([what]) => what)).toEqual(["vertex", "vertex"]);
  });

  it("goes by when the clicks were made, however late a busy page hears of them", () => {
    const click = (x: number, time: number) => {
      gestures.down({ x, y: 50 }, false, REACH, time);
      gestures.up({ x, y: 50 });
    };
    vi.useFakeTimers();
    tool.value = "polygon";
    click(50, 1000);
    vi.advanceTimersByTime(5000);
    click(50, 1200);
    click(70, 2000);
    click(70, 2500);
    vi.useRealTimers();
    expect(said.map(([what]) => what)).toEqual(["vertex", "finish", "vertex", "vertex"]);
  });

  it("ends an outline by the crosshair at its last vertex again, however late", () => {
    vi.useFakeTimers();
    tool.value = "polygon";
    place(50, 50);
    vertices.push({ x: 50, y: 50 });
    vi.advanceTimersByTime(5000);
    place(50, 50);
    vi.useRealTimers();
    expect(said.map(([what]) => what)).toEqual(["vertex", "finish"]);
  });

  it("takes hold of a vertex where it is dragged only", () => {
    tool.value = "polygon";
    vertices.push({ x: 10, y: 10 }, { x: 50, y: 10 }, { x: 50, y: 50 });
    drag([52, 12], [53, 13]);
    expect(said.map(([what]) => what)).toEqual(["vertex"]);
  });

  it("moves a vertex instead of closing, and keeps it in the picture", () => {
    tool.value = "polygon";
    vertices.push({ x: 10, y: 10 }, { x: 50, y: 10 }, { x: 50, y: 50 });
    drag([10, 10], [-40, 200]);
    expect(said).toEqual([
      ["take", { polygon: -1, vertex: 0 }],
      ["move", { x: -0.5, y: 79.5 }],
      ["end"],
    ]);
  });

  it("takes a vertex in hand by the crosshair and puts it down where it is placed next", () => {
    tool.value = "polygon";
    vertices.push({ x: 10, y: 10 }, { x: 50, y: 10 }, { x: 50, y: 50 });
    place(50, 10);
    gestures.follow({ x: 60, y: 12 });
    expect(gestures.current?.kind).toBe("vertex");
    place(70, 14);
    expect(gestures.current).toBeNull();
    gestures.follow({ x: 90, y: 14 });
    expect(said).toEqual([
      ["take", { polygon: -1, vertex: 1 }],
      ["move", { x: 60, y: 12 }],
      ["move", { x: 70, y: 14 }],
      ["end"],
    ]);
  });

  it("brushes straight on from where the crosshair was used last", () => {
    tool.value = "eraser";
    place(10, 10);
    said = [];
    gestures.strokeTo({ x: 40, y: 30 });
    gestures.strokeTo({ x: 40, y: 50 });
    const stroke = (from: object, to: object) => [
      ["stroke", true],
      ["extend", from],
      ["extend", to],
      ["end"],
    ];
    expect(said).toEqual([
      ...stroke({ x: 10, y: 10 }, { x: 40, y: 30 }),
      ...stroke({ x: 40, y: 30 }, { x: 40, y: 50 }),
    ]);
    gestures.rest();
    said = [];
    gestures.strokeTo({ x: 5, y: 5 });
    expect(said).toEqual(stroke({ x: 5, y: 5 }, { x: 5, y: 5 }));
  });

  it("gives up what the crosshair began when the pointer takes over", () => {
    tool.value = "box";
    place(10, 10);
    drag([20, 20], [40, 40]);
    expect(said).toEqual([["box", [20, 20, 40, 40]]]);
  });
});
