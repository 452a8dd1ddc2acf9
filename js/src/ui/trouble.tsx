/** The line that says what went wrong last, or that the kernel does not answer or is no more. */

import type { ReadonlySignal } from "@preact/signals";

interface Heard {
  readonly gone: ReadonlySignal<boolean>;
  readonly silent: ReadonlySignal<boolean>;
  readonly log: ReadonlySignal<readonly { level: string; message: string }[]>;
}

export function Trouble({ kernel }: { kernel: Heard }) {
  const words = told(kernel);
  return (
    words !== undefined && (
      <p class="ev-trouble" role="alert">
        {words}
      </p>
    )
  );
}

function told({ gone, silent, log }: Heard): string | undefined {
  if (gone.value) return "The kernel is no more; run the cell again.";
  if (silent.value) return "The kernel does not answer. It works on something else, or is gone.";
  return log.value.findLast(({ level }) => level === "error")?.message;
}
