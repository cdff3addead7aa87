import { describe, expect, it } from 'vitest';
import { histogramText } from '../../../src/sinks/histogram-text.js';
import type { Histogram } from '../../../src/types.js';

function histogram(...counts: number[]): Histogram {
  const buckets = counts.map((count, i) => ({ low: i === 0 ? 0 : 2 ** i, high: 2 ** (i + 1), count }));
  const total = counts.reduce((sum, count) => sum + count, 0);
  return {
    v: 1,
    type: 'histogram',
    name: 'rtt',
    unit: 'us',
    t: 1,
    date: '2026-03-01T12:00:00.000100Z',
    total,
    buckets,
  };
}

const bars = (text: string) =>
  text
    .split('\n')
    .slice(1, -1)
    .map((line) => /[\u2588-\u258f]*$/.exec(line)![0]);

describe('a distribution', () => {
  it('is plain numbers where it does not go to a terminal: range, count, share', () => {
    expect(histogramText(histogram(1, 0, 3), undefined)).toBe(
      [
        'rtt distribution:                  4',
        '                     0 -     1us: 1        0.2500',
        '                     2 -     3us: 0        0.0000',
        '                     4 -     7us: 3        0.7500',
        '',
      ].join('\n'),
    );
  });

  it('of nothing is its head alone', () => {
    expect(histogramText(histogram(), 80).split('\n')).toHaveLength(2);
    expect(histogramText(histogram(), 80)).toMatch(/^rtt distribution: +0\n$/);
  });

  it.each([80, 120, 200])('in a terminal of %i columns has bars that fill what is left, up to a limit', (columns) => {
    const text = histogramText(histogram(8, 4, 0, 1), columns);
    for (const line of text.split('\n')) expect(line.length).toBeLessThan(columns);
    const [first = '', second = '', third = '', fourth = ''] = bars(text);
    expect(first.length).toBe(Math.min(60, columns - 51));
    expect(second.length).toBe(Math.ceil(first.length / 2));
    expect(third).toBe('');
    expect(fourth.length).toBeGreaterThan(0);
    expect(fourth.length).toBeLessThan(second.length);
  });

  it('in a terminal of 40 columns has no room for bars, and is as without one', () => {
    expect(histogramText(histogram(8, 4, 0, 1), 40)).toBe(histogramText(histogram(8, 4, 0, 1), undefined));
  });

  it('has bars whose lengths are as the counts, to an eighth of a column', () => {
    const eighths = (bar: string) =>
      [...bar].reduce((sum, c) => sum + (c === '\u2588' ? 8 : 0x2590 - c.charCodeAt(0)), 0);
    const counts = [100, 50, 25, 10, 1];
    const lengths = bars(histogramText(histogram(...counts), 200)).map(eighths);
    expect(lengths).toEqual(counts.map((count) => Math.round((count / 100) * 60 * 8)));
  });

  it('of large values keeps count and share apart', () => {
    const large = histogramText(histogram(123456789, 1), undefined).split('\n')[1];
    expect(large).toMatch(/us: 123456789 1\.0000$/);
  });
});
