/** The line that says what went wrong last, or that the kernel does not answer or is no more. */

import type { ReadonlySignal } from "@preact/signals";

interface Heard {
  readonly gone: ReadonlySignal<boolean>;
  readonly silent: ReadonlySignal<boolean>;
  readonly trouble: ReadonlySignal<string | null>;
}

export function Trouble({ kernel }: { kernel: Heard }) {
  const words = told(kernel);
  return (
    words !== null && (
      <p class="ev-trouble" role="alert">
        {words}
      </p>
    )
  );
}

function told({ gone, silent, trouble }: Heard): string | null {
  if (gone.value) return "The kernel is no more; run the cell again.";
  if (silent.value) return "The kernel does not answer. It works on something else, or is gone.";
  return trouble.value;
}
