import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { StatisticsBuilder } from '../../../src/explain/statistics.js';
import { attached, probeNamed } from '../../support/traces.js';

const builder = new StatisticsBuilder();

describe('a distribution', () => {
  it('has 0 and 1 in its first bucket, and each further one is twice as wide', () => {
    expect(builder.histogram('rtt', [1, 2, 0, 4])).toMatchObject({
      v: 1,
      type: 'histogram',
      name: 'rtt',
      unit: 'us',
      total: 7,
      buckets: [
        { low: 0, high: 2, count: 3 },
        { low: 2, high: 4, count: 0 },
        { low: 4, high: 8, count: 4 },
      ],
    });
  });

  it('of zeros alone is one bucket; of nothing, none', () => {
    expect(builder.histogram('latency', [5]).buckets).toEqual([{ low: 0, high: 2, count: 5 }]);
    expect(builder.histogram('latency', []).buckets).toEqual([]);
    expect(builder.histogram('latency', [0, 0, 0]).buckets).toEqual([]);
  });

  it('of any values has each in the bucket where it belongs', () => {
    const values = fc.array(fc.integer({ min: 0, max: 2 ** 31 }), { maxLength: 50 });
    fc.assert(
      fc.property(values, (us) => {
        const counts = Array.from({ length: 33 }, () => 0);
        for (const value of us) counts[value === 0 ? 0 : Math.floor(Math.log2(value)) + 1]!++;
        const { buckets, total } = builder.histogram('rtt', counts);
        expect(total).toBe(us.length);
        expect(buckets.reduce((sum, b) => sum + b.count, 0)).toBe(us.length);
        for (const [i, { low, high, count }] of buckets.entries()) {
          expect(count).toBe(us.filter((value) => value >= low && value < high).length);
          expect(low).toBe(buckets[i - 1]?.high ?? 0);
        }
        if (us.length > 0) expect(buckets.at(-1)?.count).toBeGreaterThan(0);
      }),
    );
  });

  it('says when it was taken, on both clocks', () => {
    const before = Number(process.hrtime.bigint()) / 1e9;
    const { t, date } = builder.histogram('rtt', []);
    const after = Number(process.hrtime.bigint()) / 1e9;
    expect(t).toBeGreaterThanOrEqual(before);
    expect(t).toBeLessThanOrEqual(after);
    expect(Math.abs(Date.parse(date) - Date.now())).toBeLessThan(5000);
  });
});

describe('hits of functions', () => {
  it('are the most frequent first, then by name, without those that were never called', () => {
    const names = ['ip_rcv', 'tcp_v4_rcv', 'ip_output', 'kfree_skb', 'consume_skb'];
    const outcomes = names.map((name, id) => attached(probeNamed(name), id));
    const { functions } = builder.functions(outcomes, [3, 9, 3, 0]);
    expect(functions).toEqual([
      { func: 'tcp_v4_rcv', stage: 'tcp-in', hits: 9 },
      { func: 'ip_output', stage: 'ip-out', hits: 3 },
      { func: 'ip_rcv', stage: 'ip-in', hits: 3 },
    ]);
  });
});

describe('an omission', () => {
  it('is a record of its own', () => {
    expect(builder.omission(12)).toMatchObject({ v: 1, type: 'omitted', count: 12 });
  });
});
