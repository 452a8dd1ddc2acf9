/** What nobody may miss, over the picture: the kernel is no more, or does not listen. */

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
    </div>
  );
}
