/**
 * Colour, dash and marker of a line, the same as in the pictures that Python draws.
 *
 * Their numbers have no common divisor, so that lines differ for those who see no colours too.
 */

import LOOK from "../../../evavos_widget/experiments/lines.json";
import type { Theme } from "../ui/theme";

export interface Ink {
  text: string;
  soft: string;
  grid: string;
  surface: string;
}

export const INK: Record<Theme, Ink> = {
  light: { text: "#1d2129", soft: "#5b6472", grid: "#dfe2e8", surface: "#ffffff" },
  dark: { text: "#e6e8ec", soft: "#a0a8b5", grid: "#363b43", surface: "#1b1d21" },
};

export const lineColor = (look: number, theme: Theme): string =>
  LOOK.colors[look % LOOK.colors.length][theme];

export const lineDash = (look: number): readonly number[] => LOOK.dashes[look % LOOK.dashes.length];

const corners = (...angles: number[]) =>
  angles.flatMap((a) => [Math.cos((a * Math.PI) / 180), Math.sin((a * Math.PI) / 180)]);

const MARKERS: Record<string, number[]> = {
  circle: corners(...Array.from({ length: 16 }, (_, k) => k * 22.5)),
  square: corners(45, 135, 225, 315),
  triangle: corners(-90, 30, 150),
  diamond: corners(0, 90, 180, 270),
  wedge: corners(90, 210, 330),
};

/** Corners of the marker of a line at a place, x and y in turn. */
export function marker(look: number, x: number, y: number, radius: number): number[] {
  const unit = MARKERS[LOOK.markers[look % LOOK.markers.length]];
  return unit.map((value, i) => (i % 2 ? y : x) + value * radius);
}
