/** The frame that is looked at, with the mask that the policy saw on it. */

import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { nameAmong } from "../ui/object-names";
import { MaskedPicture } from "./masked-picture";
import type { View } from "./view";
import { number } from "./words";

const WIDTH = 320;

export function Picture({ view }: { view: View }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const painting = useRef<MaskedPicture>(null);
  /** The frame whose picture is there. */
  const arrived = useSignal(-1);
  const frame = view.synced.frame.value;
  const shown = view.shown.value;
  const masked = view.masked.value;
  const mask = view.mask.value;
  const { width, height } = view.synced.video.value;
  const objects = view.kernel.state.value?.objects ?? [];
  const name = nameAmong(view.object.value, objects);
  const color = objects.find(({ id }) => id === view.object.value)?.color ?? "#000000";
  useEffect(() => {
    if (canvas.current) painting.current = new MaskedPicture(canvas.current, { width, height });
  }, [width, height]);
  useEffect(() => {
    const abort = new AbortController();
    view.kernel.frame(frame, { width: WIDTH, signal: abort.signal }).then(
      (picture) => {
        painting.current?.take(picture);
        arrived.value = frame;
      },
      (error) => view.kernel.fail(error),
    );
    return () => abort.abort();
  }, [view, frame, arrived]);
  const there = arrived.value === frame;
  const empty = mask && !mask.some((run) => run >>> 24 > 0);
  useEffect(() => {
    // Until the picture of the frame has come, the one before it keeps its own mask.
    if (!there) return;
    painting.current?.draw(mask, color);
    if (canvas.current) canvas.current.dataset.frame = String(frame);
  }, [there, frame, mask, color]);
  return (
    <figure class="evp-picture">
      <canvas
        ref={canvas}
        style={{ aspectRatio: `${width} / ${height}`, "--ev-ratio": width / height }}
        role="img"
        aria-label={masked ? `Frame ${frame} with the mask of ${name}` : `Frame ${frame}`}
      />
      <figcaption>
        <span>
          Frame {frame}: predicted {number(shown?.predicted[frame], 2)}
          {shown?.true && <>, true {number(shown.true[frame], 2)}</>}
          {empty && ", no mask"}
        </span>
        <button
          type="button"
          class="ev-button ev-small"
          aria-pressed={masked}
          title={`The mask of ${name} that the policy saw, before this round`}
          onClick={() => {
            view.masked.value = !masked;
          }}
        >
          <span>Mask</span>
        </button>
      </figcaption>
    </figure>
  );
}
