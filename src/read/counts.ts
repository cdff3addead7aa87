import { type Moment, StatisticsBuilder } from '../explain/statistics.js';
import type { FunctionStats, Histogram } from '../types.js';

/** A kernel has no more functions that see packets; a file may hold any number of names, of any length. */
const MAX_FUNCTIONS = 10_000;
const MAX_NAME = 511;
/** As many as the kernel side has. */
const MAX_BUCKET = 39;

/** Bits that the whole part of a number takes; 0 for 0. */
function bitLength(value: number): number {
  return value < 1 ? 0 : Math.min(MAX_BUCKET, Math.floor(Math.log2(Math.floor(value))) + 1);
}

/** Counts over records, in bounded memory. */
export class Counts {
  #moment: Moment | undefined;
  readonly #times: number[] = [];
  readonly #hits = new Map<string, { stage: string; hits: number }>();
  #otherHits = 0;
  readonly #builder = new StatisticsBuilder(() => this.#moment ?? { t: 0, date: new Date(0).toISOString() });

  addTime(us: number, { t, date }: Moment): void {
    this.#moment = { t, date };
    const bucket = bitLength(us);
    for (let i = this.#times.length; i <= bucket; i++) this.#times.push(0);
    this.#times[bucket] = (this.#times[bucket] ?? 0) + 1;
  }

  addHit(func: string, stage: string, { t, date }: Moment): void {
    this.#moment = { t, date };
    const known = this.#hits.get(func);
    if (known) known.hits++;
    else if (this.#hits.size < MAX_FUNCTIONS && func.length <= MAX_NAME && stage.length <= MAX_NAME)
      this.#hits.set(func, { stage, hits: 1 });
    else this.#otherHits++;
  }

  histogram(name: Histogram['name']): Histogram {
    return this.#builder.histogram(name, this.#times);
  }

  functions(): FunctionStats {
    const rows = [...this.#hits].map(([func, { stage, hits }]) => ({ func, stage, hits }));
    return this.#builder.functionStats([...rows, { func: '(others)', stage: 'other', hits: this.#otherHits }]);
  }
}
