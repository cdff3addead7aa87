import { UsageError } from './errors.js';

const MAX_ONE_OF = 1_000_000;

/** Which of the packets that match are followed. */
export interface Sample {
  /** One of so many. */
  oneOf: number;
  /** Fewer while the ring buffer fills. */
  adaptive: boolean;
}

/** Counters and connections draw conclusions from packets that are not there. */
export function defaultSample({
  counters = false,
  explain = false,
}: {
  counters?: boolean;
  explain?: boolean;
}): string {
  return counters || explain ? 'off' : 'auto';
}

/** Reads `auto`, `off` or `1/N`. Throws UsageError. */
export function parseSample(text: string): Sample {
  if (text === 'auto' || text === 'off') return { oneOf: 1, adaptive: text === 'auto' };
  const oneOf = Number(/^1\/(\d{1,7})$/.exec(text)?.[1]);
  if (!(oneOf >= 1 && oneOf <= MAX_ONE_OF))
    throw new UsageError(`the sample must be auto, off, or 1/N with N from 1 to ${MAX_ONE_OF}, not '${text}'`);
  return { oneOf, adaptive: false };
}
