import { describe, expect, it } from 'vitest';
import { Summary } from '../../../src/sinks/summary.js';
import type { TraceStatistics } from '../../../src/trace.js';
import type { OutputRecord } from '../../../src/types.js';
import { RECORDS } from '../../support/output-records.js';
import { skbTrace, traceEvent } from '../../support/traces.js';

const NOTHING_LOST: TraceStatistics = {
  produced: 10,
  delivered: 10,
  ringFull: 0,
  trackFull: 0,
  framesFull: 0,
  missedRuns: 0,
  malformed: 0,
  orphans: 0,
  queueFull: 0,
  rateLimited: 0,
  sampled: 0,
  sampledOf: 0,
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

  it('of drops at more places than there can be counts the rest together, and shows no control character', () => {
    const summary = new Summary();
    for (let i = 0; i < 1500; i++) summary.add(skbTrace({ events: [traceEvent({ drop: { location: `\x1b+${i}` } })] }));
    const [, total, ...places] = summary.seen();
    expect(total).toBe('1500 drops:');
    expect(places).toHaveLength(1001);
    expect(places[0]).toBe('     500  at other places');
    expect(places[1]).toBe('       1  no reason given at \\x1b+0');
  });

  it('counts events by themselves, but no packets then', () => {
    const of = (...types: OutputRecord['type'][]) => {
      const summary = new Summary();
      for (const record of RECORDS) if (types.includes(record.type)) summary.add(record);
      return summary.seen();
    };
    expect(of('socket')).toEqual(['1 event', 'no drops']);
    expect(of('latency', 'socket')[0]).toBe('2 events');
    expect(of('trace')[0]).toBe('1 packet, 1 event');
    // that is a drop, but no loss
    expect(of('packet')).toEqual(['1 event', 'no drops']);
    expect(of('trace', 'packet', 'omitted')[0]).toBe('1 packet, 2 events');
  });

  it('counts a drop by itself', () => {
    const summary = new Summary();
    const event = traceEvent({ drop: { location: 'tcp_v4_rcv+0x65', reason: 'NO_SOCKET' } });
    summary.add({ v: 1, type: 'packet', mode: 'drop', proto: 'tcp', date: '2026-03-01T12:00:00.000100Z', event });
    expect(summary.seen()).toEqual(['1 event', '1 drop:', '       1  NO_SOCKET at tcp_v4_rcv+0x65']);
  });

  it('of what the kernel side counted says how much that is, and nothing of drops, which nobody looked at', () => {
    const seen = (record: OutputRecord) => {
      const summary = new Summary();
      summary.add(record);
      return summary.seen();
    };
    const moment = { v: 1, t: 1, date: '2026-03-01T12:00:00.000100Z' } as const;
    expect(seen({ ...moment, type: 'histogram', name: 'rtt', unit: 'us', total: 1, buckets: [] })).toEqual(['1 value']);
    const functions = [
      { func: 'ip_rcv', stage: 'ip-in', hits: 9 },
      { func: 'ip_output', stage: 'ip-out', hits: 3 },
    ];
    expect(seen({ ...moment, type: 'functions', functions })).toEqual(['12 hits']);
  });

  it('of distributions that came one after the other has the last: each is of all since the start', () => {
    const summary = new Summary();
    for (const total of [3, 5])
      summary.add({ v: 1, type: 'histogram', name: 'rtt', unit: 'us', t: 1, date: '', total, buckets: [] });
    expect(summary.text(NOTHING_LOST)).toBe('5 values\nnothing lost\n');
  });

  it('takes what --rate-limit left out for no loss', () => {
    expect(new Summary().text({ ...NOTHING_LOST, rateLimited: 5 })).toContain('nothing lost');
  });

  it('says which share of the packets was followed, where that are not all', () => {
    const lines = (sampled: number, sampledOf: number) =>
      new Summary().text({ ...NOTHING_LOST, sampled, sampledOf }).split('\n');
    expect(lines(12, 12).join()).not.toContain('followed');
    expect(lines(123, 98_760)).toContain('followed 123 of about 98760 packets (0.12 %)');
    expect(lines(123, 98_760)).toContain('nothing lost');
    expect(lines(999, 1000)).toContain('followed 999 of about 1000 packets (100 %)');
  });

  it.each([
    ['ringFull', /ring buffer was full.*--buffer/],
    ['trackFull', /table of tracked packets was full/],
    ['framesFull', /return values not attributed/],
    ['missedRuns', /hits not looked at.*interrupt/],
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
