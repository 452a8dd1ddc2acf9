/** From values to pixels and back, and the values that an axis names. Pure. */

import type { Line } from "./lines";

export type Range = readonly [number, number];

export interface Scale {
  domain: Range;
  pixel(value: number): number;
  value(pixel: number): number;
  ticks: number[];
}

/** A scale of even steps, with at most `most` ticks. */
export function linear(domain: Range, [p, q]: Range, most: number): Scale {
  const [a, b] = domain;
  return {
    domain,
    pixel: (value) => p + ((value - a) / (b - a)) * (q - p),
    value: (pixel) => a + ((pixel - p) / (q - p)) * (b - a),
    ticks: evenTicks(domain, most),
  };
}

/** A scale of even factors; the domain is above 0. */
export function logarithmic(domain: Range, range: Range, most: number): Scale {
  const inner = linear([Math.log(domain[0]), Math.log(domain[1])], range, most);
  return {
    domain,
    pixel: (value) => inner.pixel(Math.log(value)),
    value: (pixel) => Math.exp(inner.value(pixel)),
    ticks: factorTicks(domain, most),
  };
}

function evenTicks([a, b]: Range, most: number): number[] {
  const rough = (b - a) / most;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((n) => n * power).find((n) => n >= rough * (1 - 1e-9)) ?? rough;
  const first = Math.ceil(a / step - 1e-9);
  const last = Math.floor(b / step + 1e-9);
  return Array.from({ length: last - first + 1 }, (_, k) => tidy((first + k) * step));
}

function factorTicks([a, b]: Range, most: number): number[] {
  for (const digits of [[1, 2, 3, 5], [1, 2, 5], [1, 3], [1]]) {
    const ticks: number[] = [];
    for (let power = Math.floor(Math.log10(a)); power <= Math.log10(b); power++) {
      for (const digit of digits) {
        const tick = tidy(digit * 10 ** power);
        if (tick >= a * (1 - 1e-9) && tick <= b * (1 + 1e-9)) ticks.push(tick);
      }
    }
    if (ticks.length <= most && ticks.length > 1) return ticks;
  }
  // Less than a factor of two, or very many powers of ten.
  return evenTicks([a, b], most).filter((tick) => tick > 0);
}

/** 0.30000000000000004 is 0.3. */
export const tidy = (value: number) => Number(value.toPrecision(6));

/** From 0, or from the first point, to the last one. */
export function timeDomain(lines: readonly Line[], logarithmic: boolean): Range {
  const last = Math.max(0, ...lines.map((line) => line.x[line.x.length - 1] ?? 0));
  if (last === 0) return logarithmic ? [0.1, 1] : [0, 1];
  if (!logarithmic) return [0, last];
  const first = Math.min(...lines.map((line) => firstAboveZero(line) ?? last));
  return first < last ? [first, last] : [last / 2, last * 2];
}

function firstAboveZero(line: Line): number | undefined {
  for (let i = 0; i < line.x.length; i++) if (line.x[i] > 0) return line.x[i];
  return undefined;
}

/** Whole twentieths around everything that is to be seen. */
export function qualityDomain(lines: readonly Line[], target: number | null): Range {
  let [low, high] = target === null ? [1, 0] : [target, target];
  for (const line of lines) {
    for (let i = 0; i < line.y.length; i++) {
      low = Math.min(low, Number.isNaN(line.low[i]) ? line.y[i] : line.low[i]);
      high = Math.max(high, Number.isNaN(line.high[i]) ? line.y[i] : line.high[i]);
    }
  }
  if (low > high) return [0, 1];
  const [a, b] = [Math.floor((low - 0.005) * 20) / 20, Math.ceil((high + 0.005) * 20) / 20];
  return [tidy(Math.max(0, a)), tidy(Math.min(1, Math.max(b, a + 0.1)))];
}
