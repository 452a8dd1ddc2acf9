/** What is on the screen until the exact picture has come. */

import type { App } from "../app";

export function Awaited({ app }: { app: App }) {
  const { shown, coarse } = app.store;
  if (!coarse.value) return null;
  const other = app.editor.objects.elsewhere.value;
  return (
    <p class="ev-awaited" data-awaited={app.navigation.frame.value} aria-hidden="true">
      {other ? `frame ${shown.value}, near ${app.navigation.frame.value}` : "coarse"} …
    </p>
  );
}
