import type { Mode } from '../modes.js';
import type { TraceStatistics } from '../trace.js';
import type { OutputRecord, TraceEvent } from '../types.js';
import { printable } from './printable.js';

function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`;
}

function eventsOf(record: OutputRecord): readonly TraceEvent[] {
  if (record.type === 'trace') return record.events;
  return record.type === 'packet' || record.type === 'latency' ? [record.event] : [];
}

/** Places that are counted by themselves. A kernel has fewer; a file that is read may hold any number. */
const MAX_PLACES = 1000;

/** Modes that would have shown a drop. */
const SEE_DROPS: readonly Mode[] = ['life', 'basic', 'drop', 'monitor'];

/** Counts what is told at the end of a run. */
export class Summary {
  readonly #mode: Mode;
  #traces = 0;
  #events = 0;
  /** What the kernel side has counted, where it was that that was reported. */
  #counts: string | undefined;
  readonly #drops = new Map<string, number>();

  constructor(mode: Mode = 'life') {
    this.#mode = mode;
  }

  add(record: OutputRecord): void {
    if (record.type === 'histogram') this.#counts = counted(record.total, 'value');
    else if (record.type === 'functions')
      this.#counts = counted(
        record.functions.reduce((sum, row) => sum + row.hits, 0),
        'hit',
      );
    const events = eventsOf(record);
    if (record.type === 'trace') this.#traces++;
    else if (record.type === 'socket') this.#events++;
    for (const event of events) {
      if (event.parent === undefined) this.#events++;
      if (!event.drop || event.drop.noLoss !== undefined) continue;
      let place = printable(`${event.drop.reason ?? 'no reason given'} at ${event.drop.location}`);
      if (this.#drops.size >= MAX_PLACES && !this.#drops.has(place)) place = 'at other places';
      this.#drops.set(place, (this.#drops.get(place) ?? 0) + 1);
    }
  }

  /** What was seen: one line each. */
  seen(): string[] {
    // drops are not looked at then
    if (this.#counts !== undefined && this.#traces === 0 && this.#events === 0) return [this.#counts];
    const packets =
      this.#traces > 0 || (this.#events === 0 && this.#mode === 'life') ? `${counted(this.#traces, 'packet')}, ` : '';
    const lines = [`${packets}${counted(this.#events, 'event')}`];
    const drops = [...this.#drops].sort((a, b) => b[1] - a[1]);
    const total = drops.reduce((sum, [, count]) => sum + count, 0);
    if (total > 0 || SEE_DROPS.includes(this.#mode)) lines.push(total ? `${counted(total, 'drop')}:` : 'no drops');
    for (const [place, count] of drops) lines.push(`  ${String(count).padStart(6)}  ${place}`);
    return lines;
  }

  text(statistics: TraceStatistics): string {
    const lines = this.seen();
    const lost: [number, string][] = [
      [statistics.ringFull, 'events lost: the ring buffer was full (a larger one: --buffer)'],
      [statistics.trackFull, 'packets not traced: the table of tracked packets was full'],
      [statistics.framesFull, 'return values not attributed to their call'],
      [statistics.missedRuns, 'hits not looked at, of any packet: an interrupt came while a program ran on its CPU'],
      [statistics.malformed, 'records malformed'],
      [statistics.orphans, 'events without a trace'],
      [statistics.queueFull, 'traces not delivered: the reader was too slow'],
    ];
    const { sampled, sampledOf } = statistics;
    if (sampledOf > sampled) {
      const share = Number(((100 * sampled) / sampledOf).toPrecision(2));
      lines.push(`followed ${sampled} of about ${sampledOf} packets (${share} %)`);
    }
    const losses = lost.filter(([count]) => count > 0);
    if (losses.length === 0) lines.push('nothing lost');
    for (const [count, what] of losses) lines.push(`${String(count).padStart(8)}  ${what}`);
    return `${lines.join('\n')}\n`;
  }
}
