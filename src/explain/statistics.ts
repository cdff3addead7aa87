import type { AttachOutcome } from '../load/backends.js';
import type { FunctionStats, Histogram, Omission, Sampling } from '../types.js';
import { WallClock } from './wall-clock.js';

/** A time of the monotonic clock in seconds, and its date. */
export interface Moment {
  t: number;
  date: string;
}

/** What was counted, in its public form. */
export class StatisticsBuilder {
  readonly #clock = new WallClock();
  readonly #now: () => Moment;

  /** `now`: when that was, for what is not counted now. */
  constructor(now?: () => Moment) {
    this.#now = now ?? (() => this.#present());
  }

  /** `counts`: by bit length of the microseconds, see AttachedPrograms.times(). */
  histogram(name: Histogram['name'], counts: readonly number[]): Histogram {
    const last = counts.findLastIndex((count) => count > 0);
    const buckets: Histogram['buckets'] = [];
    // the first holds 0 and 1
    for (let i = 1; i <= Math.max(1, last) && last >= 0; i++)
      buckets.push({
        low: i === 1 ? 0 : 2 ** (i - 1),
        high: 2 ** i,
        count: (counts[i] ?? 0) + (i === 1 ? (counts[0] ?? 0) : 0),
      });
    const total = counts.reduce((sum, count) => sum + count, 0);
    return { v: 1, type: 'histogram', name, unit: 'us', ...this.#now(), total, buckets };
  }

  /** `hits`: by probe id. The most frequent first. */
  functions(outcomes: readonly AttachOutcome[], hits: readonly number[]): FunctionStats {
    const rows = outcomes.map(({ probe }) => ({
      func: probe.definition.name,
      stage: probe.definition.stage,
      hits: hits[probe.id] ?? 0,
    }));
    return this.functionStats(rows);
  }

  /** The most frequent first; without those that were never called. */
  functionStats(rows: FunctionStats['functions']): FunctionStats {
    const functions = rows
      .filter((row) => row.hits > 0)
      .sort((a, b) => b.hits - a.hits || a.func.localeCompare(b.func));
    return { v: 1, type: 'functions', ...this.#now(), functions };
  }

  sampling(sampled: number, of: number): Sampling {
    return { v: 1, type: 'sampled', ...this.#now(), sampled, of };
  }

  omission(count: number): Omission {
    return { v: 1, type: 'omitted', ...this.#now(), count };
  }

  #present(): Moment {
    const now = Number(process.hrtime.bigint());
    return { t: now / 1e9, date: this.#clock.text(now) };
  }
}
