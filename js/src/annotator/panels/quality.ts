/** Predicted quality in a few levels, and stretches of frames that share one. Pure. */

export const LEVELS = 8;
/** J&F below this is as bad as can be shown: masks of the wrong thing score about as much. */
const WORST = 0.3;

/** 0 (bad) to `LEVELS - 1` (good); null where nothing is known. */
export function levelOf(quality: number | null): number | null {
  if (quality === null || Number.isNaN(quality)) return null;
  const part = (quality - WORST) / (1 - WORST);
  return Math.min(LEVELS - 1, Math.max(0, Math.floor(part * LEVELS)));
}

export interface QualityRun {
  start: number;
  end: number;
  level: number;
}

/** Stretches `[start, end)` of one level; frames of unknown quality belong to none. */
export function qualityRuns(quality: readonly (number | null)[]): QualityRun[] {
  const runs: QualityRun[] = [];
  quality.forEach((value, frame) => {
    const level = levelOf(value);
    if (level === null) return;
    const last = runs.at(-1);
    if (last && last.end === frame && last.level === level) last.end = frame + 1;
    else runs.push({ start: frame, end: frame + 1, level });
  });
  return runs;
}
