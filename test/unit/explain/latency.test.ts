import { describe, expect, it } from 'vitest';
import { totalLatencyUs } from '../../../src/explain/latency.js';
import type { TraceEvent } from '../../../src/types.js';
import { skbTrace, traceEvent } from '../../support/traces.js';

const total = (...events: [us: number, func: string, more?: Partial<TraceEvent>][]) =>
  totalLatencyUs(
    skbTrace({ events: events.map(([us, func, more]) => traceEvent({ t: 100 + us / 1e6, func, ...more })) }),
  );

describe('the total latency', () => {
  it('ends before the free, which comes some time after the work is done', () => {
    expect(total([0, 'ip_rcv'], [40, 'icmp_rcv'], [5000, 'consume_skb'])).toBeCloseTo(40, 3);
    expect(total([0, 'ip_rcv'], [40, 'tcp_queue_rcv'], [900, 'skb_attempt_defer_free'])).toBeCloseTo(40, 3);
  });

  it('of a packet that was dropped ends with the drop', () => {
    const drop = { location: 'tcp_v4_rcv+0x65' };
    expect(total([0, 'ip_rcv'], [40, 'tcp_v4_rcv'], [90, 'kfree_skb', { drop }])).toBeCloseTo(90, 3);
  });

  it('goes on to the last function where a part was freed in between', () => {
    expect(total([0, 'ip_rcv'], [10, 'consume_skb'], [70, 'tcp_v4_rcv'])).toBeCloseTo(70, 3);
  });

  it('is nothing where there is one function, frees alone, or no event', () => {
    expect(total([0, 'ip_rcv'])).toBe(0);
    expect(total([0, 'consume_skb'], [9, '__kfree_skb'])).toBe(0);
    expect(total()).toBe(0);
  });
});
