import type { TraceStatistics } from '../trace.js';
import type { SkbTrace } from '../types.js';

function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`;
}

/** Counts what is told at the end of a run. */
export class Summary {
  #traces = 0;
  #events = 0;
  readonly #drops = new Map<string, number>();

  add(trace: SkbTrace): void {
    this.#traces++;
    for (const event of trace.events) {
      if (event.parent === undefined) this.#events++;
      if (!event.drop) continue;
      const place = `${event.drop.reason ?? 'no reason given'} at ${event.drop.location}`;
      this.#drops.set(place, (this.#drops.get(place) ?? 0) + 1);
    }
  }

  text(statistics: TraceStatistics): string {
    const lines = [`${counted(this.#traces, 'packet')}, ${counted(this.#events, 'event')}`];
    const drops = [...this.#drops].sort((a, b) => b[1] - a[1]);
    const total = drops.reduce((sum, [, count]) => sum + count, 0);
    lines.push(total ? `${counted(total, 'drop')}:` : 'no drops');
    for (const [place, count] of drops) lines.push(`  ${String(count).padStart(6)}  ${place}`);
    const lost: [number, string][] = [
      [statistics.ringFull, 'events lost: the ring buffer was full (a larger one: --buffer)'],
      [statistics.trackFull, 'packets not traced: the table of tracked packets was full'],
      [statistics.framesFull, 'return values not attributed to their call'],
      [statistics.malformed, 'records malformed'],
      [statistics.orphans, 'events without a trace'],
      [statistics.queueFull, 'traces not delivered: the reader was too slow'],
    ];
    const losses = lost.filter(([count]) => count > 0);
    if (losses.length === 0) lines.push('nothing lost');
    for (const [count, what] of losses) lines.push(`${String(count).padStart(8)}  ${what}`);
    return `${lines.join('\n')}\n`;
  }
}
