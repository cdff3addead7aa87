import { UsageError } from './errors.js';

const MAX_ONE_OF = 1_000_000;

/** Which of the packets that match are followed. */
export interface Sample {
  /** One of so many. */
  oneOf: number;
  /** Fewer while the ring buffer fills. */
  adaptive: boolean;
}

/** What draws conclusions from packets that are not there. */
interface Conclusions {
  counters?: boolean;
  explain?: boolean;
}

/** Throws UsageError for what parseSample() refuses, and for a sample where all packets are needed. */
export function checkSample(text: string, { counters = false, explain = false }: Conclusions): void {
  const { oneOf, adaptive } = parseSample(text);
  if (oneOf === 1 && !adaptive) return;
  const needs = counters ? '--counters' : explain ? '--explain' : undefined;
  if (needs) throw new UsageError(`--sample ${text} makes no sense with ${needs}, which needs all packets`);
}

export function defaultSample({ counters = false, explain = false }: Conclusions): string {
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

/** Records that wait longer in the ring buffer than this are too many: output lags, and so does the end after Ctrl-C. */
const MAX_LAG_MS = 250;
const LOW_LAG_MS = 50;
/** Between two changes, for the first of which to have an effect. */
const CHANGE_MS = 100;
const LOWEST_LEVEL = 64 * 1024;

/**
 * What may be in the ring buffer before packets are left out, until it is known how fast they are read: code that has just
 * started is slow, and what waits then delays the end after Ctrl-C.
 */
export function firstLevel(bufferBytes: number): number {
  return Math.min(bufferBytes / 8, Math.max(bufferBytes / 32, LOWEST_LEVEL));
}

/** Follows how fast records are read. All times are milliseconds, levels are bytes in the ring buffer. */
export class SampleLevel {
  readonly #highest: number;
  #level: number;
  #next = 0;

  constructor(bufferBytes: number) {
    this.#highest = bufferBytes / 2;
    this.#level = firstLevel(bufferBytes);
  }

  /** The level from now on, where it changes; `lag`: how long a record has waited that is read `now`. */
  follow(lag: number, now: number): number | undefined {
    if (now < this.#next) return undefined;
    const before = this.#level;
    if (lag > MAX_LAG_MS) this.#level = Math.min(before, Math.max(before / 2, LOWEST_LEVEL));
    else if (lag < LOW_LAG_MS) this.#level = Math.min(before * 2, this.#highest);
    if (this.#level === before) return undefined;
    this.#next = now + CHANGE_MS;
    return this.#level;
  }
}
