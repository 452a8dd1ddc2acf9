/**
 * State of one view that never leaves the browser: what is shown just now, what is open, and
 * how the tools are set. Everything that Python or another view should know is in `traits.ts`.
 */

import { signal } from "@preact/signals";
import type { Point } from "../masks/geometry";

/**
 * Diameter in image pixels of the brush to begin with: the same part of every picture, which is as
 * large on the screen whatever its resolution. 24 pixels at 480p.
 */
export const brushFor = (width: number, height: number): number =>
  Math.max(2, Math.round(Math.max(width, height) / 36));

export function createStore() {
  return {
    /** The frame whose picture is on the screen; -1 before the first. */
    shown: signal(-1),
    /** That picture is a smaller one, until the exact one has come. */
    coarse: signal(false),
    playing: signal(false),
    /** Diameter in image pixels. */
    brushSize: signal(24),
    /** Clicks are answered together with what other objects have on the frame, where that is possible. */
    together: signal(true),
    /** Overlays are hidden while a key is held. */
    peeking: signal(false),
    /** The mask before is shown while a key is held. */
    comparing: signal(false),
    /** Where the crosshair of the keyboard stands; null while it is put away. */
    crosshair: signal<Point | null>(null),
    /** Space is held: dragging moves the picture. */
    panning: signal(false),
    /** Objects that a view for looking only shows or hides against what the session says. */
    flipped: signal<ReadonlySet<number>>(new Set()),
    /** The object whose details are open, where the hand begins in them, and a name that was refused. */
    changing: signal<{ object: number; at: "name" | "merge"; typed?: string } | null>(null),
    exportOpen: signal(false),
    /** Which part of the video a pass shall cover. */
    passOpen: signal(false),
    logOpen: signal(false),
    wholeScreen: signal(false),
    /** Said to screen readers, and shown for a while in the status line. */
    announcement: signal(""),
  };
}

export type Store = ReturnType<typeof createStore>;
