/**
 * Shows the curves in a plain page: made-up methods, nobody at the other end.
 *
 * `?theme=dark`, `?width=480`, `?lines=20&points=500`, `?session=1`, `?phase=running`. Tests reach
 * the parts through `window.harness`.
 */

import type { CurvesTraits, Drawing } from "../src/curves/traits";
import widget from "../src/curves/widget";
import { PlainModel } from "./fake-model";

const options = new URLSearchParams(location.search);
const cell = document.querySelector<HTMLElement>("#cell");
if (!cell) throw new Error("the page has no #cell.");
document.body.dataset.jpThemeLight = String(options.get("theme") !== "dark");
if (options.has("width")) cell.style.width = `${options.get("width")}px`;

const NAMES = ["mask-only", "clicks-only", "random", "farthest-rule", "oracle"];

/** As a host hands it over: somewhere inside a larger buffer. */
function packed(rows: number[][]): DataView {
  const data = new Uint8Array(new Float32Array(rows.flat()).buffer);
  const larger = new Uint8Array(data.byteLength + 3);
  larger.set(data, 3);
  return new DataView(larger.buffer, 3, data.byteLength);
}

/** Methods that rise at their own pace, each with a band that shows the spread of its videos. */
function experiment(lines: number, points: number): Drawing {
  return {
    unit: "hours",
    note: "mean J&F over objects (davis frames); bands: 95 % over videos; order: round-robin",
    lines: Array.from({ length: lines }, (_, k) => {
      const [pace, top, end] = [0.1 + 0.35 / (k + 1), 0.84 + 0.015 * (k % 7), 0.6 + 3 / (k + 2)];
      const rows = Array.from({ length: points }, (_, i) => {
        const x = 0.311 + ((end - 0.311) * i) / (points - 1);
        const y = top - (top - 0.62) * Math.exp(-(x - 0.311) / pace) + 0.004 * Math.sin(9 * x + k);
        return [x, y, y - 0.045 + 0.02 * y, y + 0.03 - 0.01 * y];
      });
      return { name: NAMES[k] ?? `method ${k + 1}`, points: packed(rows) };
    }),
  };
}

function session(): Drawing {
  const seconds = [80, 85.5, 91, 96.5, 176.5, 182, 187.5];
  const line = (start: number, gain: number) =>
    packed(seconds.map((s, i) => [s, start + gain * (1 - 0.6 ** i), Number.NaN, Number.NaN]));
  return {
    unit: "seconds",
    note: "mean J&F over frames and objects",
    lines: [
      { name: "predicted", points: line(0.78, 0.14) },
      { name: "true", points: line(0.72, 0.17) },
    ],
  };
}

const phase = options.get("phase") as NonNullable<CurvesTraits["progress"]>["phase"] | null;
const model = new PlainModel<CurvesTraits>({
  drawing: options.has("session")
    ? session()
    : experiment(Number(options.get("lines") ?? 5), Number(options.get("points") ?? 200)),
  progress: phase && {
    ...{ phase, done: 27, total: 70, seconds_left: 341 },
    message: phase === "failed" ? "sequence 'up' has no masks; leave it out." : "",
  },
  target: 0.85,
  logarithmic: false,
  hidden: [],
  theme: "auto",
});

const { render } = widget();

/** Displays the widget once more; returns what takes it away. */
function mount(): () => void {
  const el = document.createElement("div");
  cell?.append(el);
  const cleanup = render({ model, el, signal: new AbortController().signal } as never);
  return () => {
    cleanup();
    el.remove();
  };
}

Object.assign(window, { harness: { model, mount, unmount: mount() } });
