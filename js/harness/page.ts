/**
 * Shows the widget in a plain page, with a kernel that lives in the browser.
 *
 * `?theme=dark`, `?width=480`, `?w=1920&h=1080` (of the picture), `?learned=1`, `?readonly=1`,
 * `?frames=/clip/{}.jpg&count=60` (numbers padded to five digits), `?predictor=/predict`,
 * `?types=mask,box` (that can be given), `?objects=2`, `?drawn=1` (a frame that has a mask
 * already). Tests reach the parts through `window.harness`.
 */

import widget from "../src/annotator/widget";
import { FakeKernel } from "./fake-kernel";
import { FakeModel } from "./fake-model";

const options = new URLSearchParams(location.search);
const cell = document.querySelector<HTMLElement>("#cell");
if (!cell) throw new Error("the page has no #cell.");
document.body.dataset.jpThemeLight = String(options.get("theme") !== "dark");
if (options.has("width")) cell.style.width = `${options.get("width")}px`;

const kernel = new FakeKernel({
  width: Number(options.get("w") ?? 854),
  height: Number(options.get("h") ?? 480),
  count: Number(options.get("count") ?? 60),
  frames: options.get("frames"),
  predictor: options.get("predictor"),
  learned: options.has("learned"),
  types: options.get("types")?.split(",") ?? ["mask", "clicks", "box", "scribble", "points"],
  objects: Number(options.get("objects") ?? 0),
  drawn: Number(options.get("drawn") ?? -1),
});
kernel.readOnly = options.has("readonly");
const model = new FakeModel(kernel, { read_only: options.has("readonly") });

type Cleanup = (() => void) | undefined;
const { initialize, render } = widget();
const never = new AbortController().signal;
initialize({ model, signal: never } as never);

/** Displays the widget once more; returns what takes it away. */
function mount(): Cleanup {
  const el = document.createElement("div");
  cell?.append(el);
  const cleanup = render({ model, el, signal: never } as never) as Cleanup;
  return () => {
    cleanup?.();
    el.remove();
  };
}

const harness = { kernel, model, mount, unmount: mount() };
declare global {
  interface Window {
    harness: typeof harness;
  }
}
window.harness = harness;
