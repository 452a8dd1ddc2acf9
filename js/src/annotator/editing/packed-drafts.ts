/** Drafts as text, for the storage of the browser: what is drawn and said, without its history. */

import type { Size } from "../../masks/geometry";
import { decodeRuns, encodeRuns } from "../../masks/runs";
import type { Box, Click, Scribble } from "../messages";
import { Draft } from "./draft";
import type { Layer, Path } from "./layers";

/** A draft, with masks as runs. */
export interface PackedDraft {
  frame: number;
  object: number;
  /** Of the frame's masks when it was packed; the draft is for no others. */
  digest: number;
  /** Of its object's mask once it is committed, where it was on its way. */
  gives: number | null;
  clicks: readonly Click[];
  box: Box | null;
  scribbles: readonly Scribble[];
  path: Path | null;
  layers: (Omit<Layer, "touched"> & { touched: number[] })[];
  /** The mask that the layers were committed on before, where the draft goes on from there. */
  base: number[] | null;
}

export function pack(draft: Draft, digest: number, gives: number | null = null): PackedDraft {
  const { frame, object, clicks, box, scribbles, path, layers, start } = draft;
  const packed = layers.map((layer) => ({ ...layer, touched: [...encodeRuns(layer.touched)] }));
  const base = start && [...encodeRuns(start.base)];
  return { frame, object, digest, gives, clicks, box, scribbles, path, layers: packed, base };
}

export function unpack(packed: PackedDraft, { width, height }: Size): Draft {
  const base = packed.base && read(packed.base, width * height);
  const start = base && { layers: [], base };
  const draft = new Draft(packed.frame, packed.object, width, height, start);
  const layers = packed.layers.map((layer) => {
    const { x0, y0, x1, y1 } = layer.rect;
    return { ...layer, touched: read(layer.touched, Math.max(0, x1 - x0) * Math.max(0, y1 - y0)) };
  });
  draft.takeUp({ ...packed, layers });
  return draft;
}

/** A number that other masks hardly share: FNV-1a, 32 bits. */
export function digestOf(runs: Uint32Array | null): number {
  let digest = 0x811c9dc5;
  for (const run of runs ?? []) digest = Math.imul(digest ^ run, 0x01000193);
  return digest >>> 0;
}

const read = (runs: number[], pixels: number) =>
  decodeRuns(Uint32Array.from(runs), new Uint8Array(pixels));
