/** All points as the text of a CSV file, with the columns that Python writes. Pure. */

import type { Line } from "./lines";

export function csvText(unit: string, lines: readonly Line[]): string {
  const rows = [`line,${unit},jf,low,high`];
  for (const { name, x, y, low, high } of lines) {
    for (let i = 0; i < x.length; i++) {
      rows.push([cell(name), ...[x[i], y[i], low[i], high[i]].map(number)].join(","));
    }
  }
  return `${rows.join("\n")}\n`;
}

const number = (value: number) =>
  Number.isFinite(value) ? String(Number(value.toPrecision(6))) : "";

const cell = (text: string) => (/[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
