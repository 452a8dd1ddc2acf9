/** What a frame looks like, with its masks, above the place the pointer is at. */

import { useEffect, useRef } from "preact/hooks";
import { sampleRuns } from "../../masks/runs";
import type { App } from "../app";

/** Bounds of the picture, in CSS pixels. */
const WIDTH = 160;
const HEIGHT = 120;
const OPACITY = 0.55;

interface Props {
  app: App;
  frame: number;
  /** Part of the track, 0 to 1. */
  at: number;
  caption: string;
}

export function Thumb({ app, frame, at, caption }: Props) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const { width, height } = app.synced.video.value;
  const scale = Math.min(WIDTH / width, HEIGHT / height);
  const [wide, high] = [width, height].map((length) => Math.max(1, scale * length));
  const came = app.thumbs.version.value;
  const other = app.thumbs.near(frame)?.frame ?? frame;
  const masked = app.masks.version.value;
  useEffect(() => {
    app.thumbs.want(frame);
    app.masks.want([frame]);
  }, [app, frame]);
  // Drawn again when the picture or its masks have come.
  useEffect(() => {
    if (canvas.current) draw(app, frame, canvas.current);
  }, [app, frame, came, masked]);
  return (
    <figure
      class="ev-thumb"
      aria-hidden="true"
      style={{ "--ev-at": `${at * 100}%`, width: `${WIDTH}px` }}
    >
      <canvas
        ref={canvas}
        width={Math.round(2 * wide)}
        height={Math.round(2 * high)}
        style={{ width: `${wide}px`, height: `${high}px` }}
      />
      <figcaption>
        {caption}
        {other !== frame && <span class="ev-quiet"> (frame {other} is shown)</span>}
      </figcaption>
    </figure>
  );
}

function draw(app: App, frame: number, canvas: HTMLCanvasElement): void {
  const context = canvas.getContext("2d");
  const near = app.thumbs.near(frame);
  if (!context) return;
  if (!near) {
    context.clearRect(0, 0, canvas.width, canvas.height);
    return;
  }
  context.drawImage(near.picture, 0, 0, canvas.width, canvas.height);
  const runs = app.masks.get(near.frame);
  if (!runs) return;
  const size = { width: canvas.width, height: canvas.height };
  const labels = sampleRuns(runs, app.synced.video.value, size);
  const image = context.getImageData(0, 0, size.width, size.height);
  for (const { id, color, visible } of app.kernel.objects.value) {
    if (visible) tint(image.data, labels, id, Number.parseInt(color.slice(1), 16));
  }
  context.putImageData(image, 0, 0);
}

function tint(pixels: Uint8ClampedArray, labels: Uint8Array, id: number, rgb: number): void {
  const channels = [rgb >> 16, (rgb >> 8) & 255, rgb & 255];
  labels.forEach((label, i) => {
    if (label !== id) return;
    for (let c = 0; c < 3; c++) {
      pixels[4 * i + c] += OPACITY * (channels[c] - pixels[4 * i + c]);
    }
  });
}
