/** What is said over the picture: that the kernel is no more, does not listen, or is not done. */

import type { App } from "../app";

export function Notice({ app }: { app: App }) {
  const { gone, silent } = app.kernel;
  return (
    <div class="ev-notice">
      {gone.value ? (
        <p role="alert" data-notice="gone">
          <strong>The kernel is gone.</strong> It was restarted or shut down, and nothing is saved
          any more. Run the cell again: you will be where you are now, with what is unfinished.
        </p>
      ) : (
        silent.value && (
          <p role="alert" data-notice="silent">
            <strong>The kernel does not answer.</strong> It works on something else, or is gone.
          </p>
        )
      )}
      <Awaited app={app} />
    </div>
  );
}

/** What is on the screen until the exact picture has come. */
function Awaited({ app }: { app: App }) {
  const { shown, coarse } = app.store;
  if (!coarse.value) return null;
  const other = app.editor.objects.elsewhere.value;
  return (
    <p class="ev-awaited" data-awaited={app.navigation.frame.value} aria-hidden="true">
      {other ? `frame ${shown.value}, near ${app.navigation.frame.value}` : "coarse"} …
    </p>
  );
}
