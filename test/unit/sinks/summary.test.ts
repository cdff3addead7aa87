import { describe, expect, it } from 'vitest';
import { Summary } from '../../../src/sinks/summary.js';
import type { TraceStatistics } from '../../../src/trace.js';
import { skbTrace, traceEvent } from '../../support/traces.js';

const NOTHING_LOST: TraceStatistics = {
  produced: 10,
  delivered: 10,
  ringFull: 0,
  trackFull: 0,
  framesFull: 0,
  malformed: 0,
  orphans: 0,
  queueFull: 0,
};

describe('the summary', () => {
  it('of a run that saw nothing says so', () => {
    expect(new Summary().text(NOTHING_LOST)).toBe('0 packets, 0 events\nno drops\nnothing lost\n');
  });

  it('counts packets and events; the moment a clone joined is no event', () => {
    const summary = new Summary();
    summary.add(skbTrace({ events: [traceEvent(), traceEvent({ parent: 0, skb: 1 }), traceEvent()] }));
    summary.add(skbTrace({ events: [traceEvent()] }));
    expect(summary.text(NOTHING_LOST)).toMatch(/^2 packets, 3 events\n/);
  });

  it('speaks of one packet as of one', () => {
    const summary = new Summary();
    summary.add(skbTrace({ events: [traceEvent({ drop: { location: 'tcp_v4_rcv+0x65' } })] }));
    expect(summary.text(NOTHING_LOST)).toMatch(/^1 packet, 1 event\n1 drop:\n/);
  });

  it('counts drops by reason and place, the most frequent first', () => {
    const summary = new Summary();
    const drop = (location: string, reason?: string) =>
      summary.add(skbTrace({ events: [traceEvent({ drop: reason ? { location, reason } : { location } })] }));
    drop('tcp_v4_rcv+0x65', 'NO_SOCKET');
    for (let i = 0; i < 12; i++) drop('nf_hook_slow+0xc8', 'NETFILTER_DROP');
    drop('tcp_v4_rcv+0x65', 'NO_SOCKET');
    drop('tcp_v4_rcv+0x65');
    expect(summary.text(NOTHING_LOST).split('\n').slice(1, 5)).toEqual([
      '15 drops:',
      '      12  NETFILTER_DROP at nf_hook_slow+0xc8',
      '       2  NO_SOCKET at tcp_v4_rcv+0x65',
      '       1  no reason given at tcp_v4_rcv+0x65',
    ]);
  });

  it.each([
    ['ringFull', /ring buffer was full.*--buffer/],
    ['trackFull', /table of tracked packets was full/],
    ['framesFull', /return values not attributed/],
    ['malformed', /malformed/],
    ['orphans', /without a trace/],
    ['queueFull', /reader was too slow/],
  ] as const)('names the loss %s and its number', (cause, words) => {
    const text = new Summary().text({ ...NOTHING_LOST, [cause]: 4711 });
    const line = text.split('\n').find((l) => words.test(l));
    expect(line).toMatch(/^ +4711 {2}/);
    expect(text).not.toContain('nothing lost');
    expect(text.trimEnd().split('\n')).toHaveLength(3);
  });
});
