/**
 * Label maps as runs: uint32 little-endian, `label << 24 | length`, row by row from the top
 * left. Pure; the kernel's `masks.encode_runs` gives the same numbers, and a fixture shared by
 * both test suites says so.
 */

/** Longer runs are split. */
export const MAX_RUN = 0xff_ff_ff;

/** Runs of a label map. */
export function encodeRuns(labels: Uint8Array): Uint32Array {
  let runs = new Uint32Array(256);
  let count = 0;
  let start = 0;
  while (start < labels.length) {
    const label = labels[start];
    const limit = Math.min(labels.length, start + MAX_RUN);
    let end = start + 1;
    while (end < limit && labels[end] === label) end++;
    if (count === runs.length) {
      const larger = new Uint32Array(runs.length * 2);
      larger.set(runs);
      runs = larger;
    }
    runs[count++] = (label << 24) | (end - start);
    start = end;
  }
  return runs.slice(0, count);
}

/** Runs of the binary mask of one label. */
export const runsOf = (label: number, labels: Uint8Array): Uint32Array =>
  encodeRuns(labels.map((other) => (other === label ? 1 : 0)));

/**
 * Writes the label map of `runs` into `labels`.
 *
 * Throws a `RangeError` when the runs do not cover exactly `labels.length` pixels.
 */
export function decodeRuns(runs: Uint32Array, labels: Uint8Array): Uint8Array {
  let position = 0;
  for (const run of runs) {
    const end = position + (run & MAX_RUN);
    labels.fill(run >>> 24, position, end);
    position = end;
  }
  if (position !== labels.length) {
    throw new RangeError(
      `the runs cover ${position} pixels but the picture has ${labels.length}; send whole frames.`,
    );
  }
  return labels;
}

/** The label map of `runs` made smaller, the nearest label for each of its pixels. */
export function sampleRuns(
  runs: Uint32Array,
  from: { width: number; height: number },
  to: { width: number; height: number },
): Uint8Array {
  const labels = new Uint8Array(to.width * to.height);
  const sample = (i: number, size: number, of: number) => Math.floor(((i + 0.5) * of) / size);
  let run = 0;
  let end = runs[0] & MAX_RUN;
  let above = -1;
  for (let row = 0; row < to.height; row++) {
    const y = sample(row, to.height, from.height);
    const start = row * to.width;
    if (y === above) {
      labels.copyWithin(start, start - to.width, start);
      continue;
    }
    above = y;
    for (let column = 0; column < to.width; column++) {
      const at = y * from.width + sample(column, to.width, from.width);
      while (at >= end) end += runs[++run] & MAX_RUN;
      labels[start + column] = runs[run] >>> 24;
    }
  }
  return labels;
}

export const equalRuns = (a: Uint32Array, b: Uint32Array): boolean =>
  a.length === b.length && a.every((run, i) => run === b[i]);

/** A copy of the bytes of a message buffer as runs; a view may start at any byte. */
export function runsFromBuffer(buffer: ArrayBufferView): Uint32Array {
  const bytes = new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength);
  return new Uint32Array(bytes.slice().buffer, 0, bytes.byteLength >> 2);
}
