/** Shows the frames of a video: a widget on the wire and the canvas alone. */

import { Canvas } from "../../../js/src/video/canvas";
import type { NothingMore, Video } from "../../../js/src/wire/catalogue";
import { Kernel } from "../../../js/src/wire/kernel";
import { syncTraits } from "../../../js/src/wire/synced";
import { widget } from "../../../js/src/wire/widget";

export default widget<{ video: Video; frame: number }>((model, element, name) => {
  const { video, frame, close } = syncTraits(model, { video: "video", frame: "frame" });
  const kernel = new Kernel<NothingMore>(name, (content, buffers) =>
    model.send(content, undefined, buffers),
  );
  const abort = new AbortController();
  const stage = document.createElement("div");
  stage.tabIndex = 0;
  stage.style.setProperty("--ev-aspect", `${video.value.width} / ${video.value.height}`);
  element.append(stage);
  let picture: ImageBitmap | undefined;
  let shown = "";
  const failed = (error: unknown) => kernel.fail(error);
  const painted = () => Object.assign(stage.dataset, { frame: shown });
  const scene = { image: video.value, picture: () => picture, painted, failed };
  const canvas = new Canvas(stage, scene, abort.signal);
  const show = async (wanted: number) => {
    const came = await kernel.frame(wanted, { signal: abort.signal });
    if (wanted !== frame.value) return came.close();
    picture?.close();
    picture = came;
    shown = String(wanted);
    canvas.showFrame();
  };
  const stop = frame.signal.subscribe((wanted) => void show(wanted).catch(failed));
  void kernel.hello();
  return {
    receive: (content, buffers) => kernel.receive(content, buffers),
    close() {
      for (const end of [stop, close, () => abort.abort(), () => kernel.close()]) end();
      picture?.close();
      stage.remove();
    },
  };
});
