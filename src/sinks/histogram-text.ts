import type { Histogram } from '../types.js';

/** Widest that bars grow, however wide the terminal is. */
const MAX_BAR = 60;
/** Eighths of a column. */
const BLOCKS = ['', '\u258f', '\u258e', '\u258d', '\u258c', '\u258b', '\u258a', '\u2589'];

function bar(share: number, width: number): string {
  const eighths = Math.round(share * width * 8);
  return '\u2588'.repeat(Math.floor(eighths / 8)) + (BLOCKS[eighths % 8] ?? '');
}

/**
 * A distribution as lines: range, count, share, and in a terminal of so many `columns` a bar. Low and high are both
 * included, as users of nettrace know them.
 */
export function histogramText(histogram: Histogram, columns: number | undefined): string {
  const { name, unit, total, buckets } = histogram;
  const lines = [`${`${name} distribution:`.padEnd(23)} ${String(total).padStart(12)}`];
  const most = Math.max(1, ...buckets.map((b) => b.count));
  for (const { low, high, count } of buckets) {
    const range = `${String(low).padStart(22)} - ${String(high - 1).padStart(5)}${unit}`;
    const share = total === 0 ? 0 : count / total;
    const line = `${range}: ${String(count).padEnd(8)} ${share.toFixed(4)}`;
    const room = columns === undefined ? 0 : Math.min(MAX_BAR, columns - line.length - 2);
    lines.push(room >= 4 ? `${line} ${bar(count / most, room)}`.trimEnd() : line);
  }
  return `${lines.join('\n')}\n`;
}
