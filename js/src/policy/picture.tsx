/** The frame that is looked at. */

import { useEffect, useRef } from "preact/hooks";
import type { View } from "./view";
import { number } from "./words";

const WIDTH = 320;

export function Picture({ view }: { view: View }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const frame = view.synced.frame.value;
  const shown = view.shown.value;
  const { width, height } = view.synced.video.value;
  useEffect(() => {
    const abort = new AbortController();
    view.kernel.frame(frame, { width: WIDTH, signal: abort.signal }).then(
      (picture) => {
        const context = canvas.current?.getContext("2d");
        if (!canvas.current || !context) return;
        canvas.current.width = picture.width;
        canvas.current.height = picture.height;
        context.drawImage(picture, 0, 0);
        picture.close();
      },
      (error) => view.kernel.fail(error),
    );
    return () => abort.abort();
  }, [view, frame]);
  return (
    <figure class="evp-picture">
      <canvas
        ref={canvas}
        style={{ aspectRatio: `${width} / ${height}` }}
        role="img"
        aria-label={`Frame ${frame}`}
      />
      <figcaption>
        Frame {frame}: predicted {number(shown?.predicted[frame], 2)}
        {shown?.true && <>, true {number(shown.true[frame], 2)}</>}
      </figcaption>
    </figure>
  );
}
