/** What is said over the picture: that nothing answers any more, or not just now, and what else. */

import type { ReadonlySignal } from "@preact/signals";
import type { ComponentChildren } from "preact";

interface Props {
  kernel: Record<"gone" | "closed" | "silent", ReadonlySignal<boolean>>;
  /** What is there after the cell was run again, as in "you will be where you are now". */
  after: string;
  children?: ComponentChildren;
}

export function Notice({ kernel, after, children }: Props) {
  return (
    <div class="ev-notice">
      {kernel.gone.value ? (
        <p role="alert" data-notice="gone">
          {kernel.closed.value ? (
            <>
              <strong>This view is closed.</strong> Its session was closed, or opened in another
              cell: go on there.
            </>
          ) : (
            <>
              <strong>The kernel is gone.</strong> It was restarted or shut down.
            </>
          )}{" "}
          Nothing is saved here any more. Run the cell again: {after}.
        </p>
      ) : (
        kernel.silent.value && (
          <p role="alert" data-notice="silent">
            <strong>The kernel does not answer.</strong> It works on something else, or is gone.
          </p>
        )
      )}
      {children}
    </div>
  );
}
