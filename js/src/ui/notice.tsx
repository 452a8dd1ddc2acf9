/** What is said over the picture: that the kernel is no more, does not listen, or is not done. */

interface Props {
  gone: boolean;
  silent: boolean;
  /** What is there after the cell was run again, as in "you will be where you are now". */
  after: string;
}

export function Notice({ gone, silent, after }: Props) {
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
