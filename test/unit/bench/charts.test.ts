import { describe, expect, it } from 'vitest';
import { barChart, lineChart, plain } from '../../../scripts/bench/charts.mjs';

/** Letters as wide as DejaVu Sans has them at the charts' size, at most. */
const LETTER = 7.5;

interface Text {
  left: number;
  right: number;
  y: number;
  text: string;
}

function texts(svg: string): Text[] {
  return [...svg.matchAll(/<text x="([\d.]+)" y="([\d.]+)"([^>]*)>([^<]*)</g)].map(([, x, y, rest, text = '']) => {
    const width = text.replaceAll(/&\w+;/g, '_').length * LETTER;
    const end = rest?.includes('"end"') ? 1 : rest?.includes('"middle"') ? 0.5 : 0;
    const left = Number(x) - end * width;
    return { left, right: left + width, y: Number(y), text };
  });
}

/** Pairs of texts that stand on each other. */
function overlaps(all: Text[]): string[] {
  return all.flatMap((a, i) =>
    all
      .slice(i + 1)
      .filter((b) => Math.abs(a.y - b.y) < 13 && a.left < b.right && b.left < a.right)
      .map((b) => `${a.text} / ${b.text}`),
  );
}

describe('a bar chart', () => {
  const bars = [
    { label: 'pingpong, nettrace --backend kprobe-multi, unmatched', value: 0.72, low: 0.6, high: 1.2, text: '0.72' },
    { label: `a <long> label & more ${'x'.repeat(90)}`, value: 123_456 },
    { label: 'nothing', value: 0 },
  ];
  const svg = barChart('A title that is so long that it takes more than one line of so narrow a picture', bars, 1);

  it('has labels that do not overlap and stay inside', () => {
    const all = texts(svg);
    expect(all.length).toBe(2 + 2 * bars.length);
    expect(overlaps(all)).toEqual([]);
    for (const { left, right } of all) expect([left >= 0, right <= 480]).toEqual([true, true]);
  });

  it('escapes what labels hold', () => {
    expect(svg).toContain('a &lt;long> label &amp; more');
  });
});

describe('a line chart', () => {
  it('has a point for each value, zero below, and labels that do not overlap', () => {
    const series = ['unmatched', 'matched'].map((name, i) => ({
      name,
      points: [13, 27, 54, 107, 174].map((x) => ({ x, y: x * (i + 1) })),
    }));
    const svg = lineChart('BPF time of a packet by probes, nanoseconds', series, 'probes');
    expect(svg.match(/<circle/g)).toHaveLength(10);
    expect(texts(svg).map(({ text }) => text)).toContain('174');
    expect(overlaps(texts(svg))).toEqual([]);
  });
});

describe('a number', () => {
  it('is as short as it can be', () => {
    expect([0, 0.123, 12.34, 123.4, 1234, 12_345, 123_456].map(plain)).toEqual([
      '0',
      '0.12',
      '12',
      '123',
      '1234',
      '12.3 k',
      '123 k',
    ]);
  });
});
