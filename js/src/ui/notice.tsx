/** What is said over the picture: that the kernel is no more or does not listen, and what else. */

import type { ComponentChildren } from "preact";

interface Props {
  gone: boolean;
  silent: boolean;
  /** What is there after the cell was run again, as in "you will be where you are now". */
  after: string;
  children?: ComponentChildren;
}

export function Notice({ gone, silent, after, children }: Props) {
  return (
    <div class="ev-notice">
      {gone ? (
        <p role="alert" data-notice="gone">
          <strong>The kernel is gone.</strong> It was restarted or shut down, and nothing is saved
          any more. Run the cell again: {after}.
        </p>
      ) : (
        silent && (
          <p role="alert" data-notice="silent">
            <strong>The kernel does not answer.</strong> It works on something else, or is gone.
          </p>
        )
      )}
      {children}
    </div>
  );
}
