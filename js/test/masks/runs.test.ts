import fc from "fast-check";
import { describe, expect, it } from "vitest";
import fixtures from "../../../tests/fixtures/runs.json";
import { decodeRuns, encodeRuns, MAX_RUN, runsFromBuffer, sampleRuns } from "../../src/masks/runs";

const labelMaps = fc
  .array(fc.tuple(fc.integer({ min: 0, max: 255 }), fc.integer({ min: 1, max: 40 })), {
    minLength: 1,
  })
  .map((pieces) => Uint8Array.from(pieces.flatMap(([label, n]) => Array(n).fill(label))));

describe("runs", () => {
  // The fixtures are written by the Python side from its own encoder.
  it.each(fixtures)("agree with the kernel: $name", ({ labels, runs }) => {
    expect([...encodeRuns(Uint8Array.from(labels))]).toEqual(runs);
    expect([...decodeRuns(Uint32Array.from(runs), new Uint8Array(labels.length))]).toEqual(labels);
  });

  it("come back as they were", () => {
    fc.assert(
      fc.property(labelMaps, (labels) => {
        expect(decodeRuns(encodeRuns(labels), new Uint8Array(labels.length))).toEqual(labels);
      }),
    );
  });

  it("are as few as there are changes of label", () => {
    fc.assert(
      fc.property(labelMaps, (labels) => {
        const changes = labels.filter((label, i) => i > 0 && label !== labels[i - 1]).length;
        expect(encodeRuns(labels)).toHaveLength(changes + 1);
      }),
    );
  });

  it("are made smaller by taking the nearest label", () => {
    const side = fc.integer({ min: 1, max: 24 });
    fc.assert(
      fc.property(side, side, side, side, fc.nat(), (width, height, w, h, seed) => {
        const labels = Uint8Array.from({ length: width * height }, (_, i) => (i * 7 + seed) % 5);
        const small = sampleRuns(encodeRuns(labels), { width, height }, { width: w, height: h });
        const expected = Array.from({ length: w * h }, (_, i) => {
          const x = Math.floor((((i % w) + 0.5) * width) / w);
          const y = Math.floor(((Math.floor(i / w) + 0.5) * height) / h);
          return labels[y * width + x];
        });
        expect([...small]).toEqual(expected);
      }),
    );
  });

  it("are split where a length does not fit its 24 bits", () => {
    const labels = new Uint8Array(MAX_RUN + 2).fill(3);
    const runs = encodeRuns(labels);
    expect([...runs].map((run) => [run >>> 24, run & MAX_RUN])).toEqual([
      [3, MAX_RUN],
      [3, 2],
    ]);
    expect(decodeRuns(runs, labels.slice().fill(0)).every((label) => label === 3)).toBe(true);
  });

  it("that do not cover the picture are refused", () => {
    const runs = encodeRuns(new Uint8Array(10));
    expect(() => decodeRuns(runs, new Uint8Array(11))).toThrow(/10 pixels.*11/);
    expect(() => decodeRuns(runs, new Uint8Array(9))).toThrow(RangeError);
  });

  it("are read from the middle of a larger buffer, at any byte", () => {
    const runs = Uint32Array.of(0x01000002, 0xff000003);
    for (const shift of [0, 1, 2, 3, 4]) {
      const larger = new Uint8Array(runs.byteLength + shift + 5);
      larger.set(new Uint8Array(runs.buffer), shift);
      const view = new DataView(larger.buffer, shift, runs.byteLength);
      expect(runsFromBuffer(view)).toEqual(runs);
    }
  });
});
