import { describe, expect, it } from 'vitest';
import { type WindowChange, WindowHistory } from '../../../src/counters/window-history.js';
import type { SkbTrace, TraceEvent } from '../../../src/types.js';
import { skbTrace, traceEvent } from '../../support/traces.js';

const NS = 42;
const TUPLE = { saddr: '10.0.0.1', sport: 8000, daddr: '10.0.0.2', dport: 41000 };

/** One sending of a socket: behind __tcp_transmit_skb() the header is not written yet. */
const sending = (t: number, win: number, flags = 'A'): Partial<TraceEvent>[] => [
  { t, func: '__tcp_transmit_skb', tcp: { seq: 1, ack: 1, flags, win: 0, payload: 0 } },
  { t, func: '__ip_queue_xmit', tcp: { seq: 1, ack: 1, flags, win: 0, payload: 0 } },
  { t, func: '__ip_local_out', tcp: { seq: 1, ack: 1, flags, win, payload: 0 } },
];
const queued = (t: number, win: number, flags = 'A'): Partial<TraceEvent>[] => [
  { t, func: 'net_dev_queue', tcp: { seq: 1, ack: 1, flags, win, payload: 0 } },
];

function traceOf(id: string, events: Partial<TraceEvent>[]): SkbTrace {
  return skbTrace({
    id,
    tuple: TUPLE,
    events: events.map((event) => traceEvent({ netns: NS, stage: 'tcp-out', ...event })),
  });
}

/** Of traces that are finished in this order: which changed the window, and how. */
function changes(...traces: SkbTrace[]): [string, WindowChange['window']][] {
  const history = new WindowHistory();
  const found = traces.flatMap((trace) => history.add(trace));
  return [...found, ...history.end()].map(({ trace, window }) => [trace.id, window]);
}

describe('a window', () => {
  it('closes with the first segment that offers none, and opens with the first that does again', () => {
    const wins = [100, 50, 0, 0, 70, 80];
    const expected = [
      ['2', 'closed'],
      ['4', 'opened'],
    ];
    expect(changes(...wins.map((win, i) => traceOf(`${i}`, sending(i, win))))).toEqual(expected);
    expect(changes(...wins.map((win, i) => traceOf(`${i}`, queued(i, win))))).toEqual(expected);
  });

  it('is compared in the order of sending, whichever trace is finished first', () => {
    const [open, closed, still, opened] = [9, 0, 0, 5].map((win, i) => traceOf(`${i}`, sending(i, win)));
    expect(changes(opened!, still!, open!, closed!)).toEqual([
      ['1', 'closed'],
      ['3', 'opened'],
    ]);
  });

  it('is told each time that a segment is sent', () => {
    const again = traceOf('data', [...sending(1, 10), ...sending(3, 0)]);
    expect(changes(again, traceOf('ack', sending(2, 10)))).toEqual([['data', 'closed']]);
  });

  it('changes with nothing where the one before is not known', () => {
    expect(changes(traceOf('0', sending(0, 0)), traceOf('1', sending(1, 0)))).toEqual([]);
    expect(changes(traceOf('old', sending(0, 0)), traceOf('syn', sending(1, 9, 'S')))).toEqual([]);
  });

  it('is not that of an RST which no socket sends, nor of what follows a FIN', () => {
    const answer = { t: 1, func: '__ip_local_out', tcp: { seq: 1, ack: 0, flags: 'R', win: 0, payload: 0 } };
    expect(changes(traceOf('0', sending(0, 9)), traceOf('1', [answer]), traceOf('2', sending(2, 9)))).toEqual([]);
    expect(changes(traceOf('0', queued(0, 9)), traceOf('1', queued(1, 0, 'AR')))).toEqual([]);
    expect(changes(traceOf('0', sending(0, 9, 'AF')), traceOf('1', sending(1, 0)))).toEqual([]);
  });

  it('that is zero because there was no room for what came is not counted, its opening is', () => {
    const refused = skbTrace({
      id: 'refused',
      tuple: { saddr: TUPLE.daddr, sport: TUPLE.dport, daddr: TUPLE.saddr, dport: TUPLE.sport },
      events: [
        traceEvent({
          t: 1,
          netns: NS,
          func: 'tcp_try_rmem_schedule',
          notes: [{ level: 'error', text: 'there is no room in the receive buffer for this segment' }],
        }),
      ],
    });
    const sent = [9, 0, 0, 9, 0].map((win, i) => traceOf(`${i}`, sending(i + 0.5, win)));
    expect(changes(...sent, refused)).toEqual([
      ['3', 'opened'],
      ['4', 'closed'],
    ]);
  });

  it('is not that of what is forwarded here', () => {
    const passing = (t: number, win: number) =>
      traceOf(`${t}`, [{ t, func: 'ip_rcv', stage: 'ip-in' }, ...queued(t, win)]);
    expect(changes(passing(0, 9), passing(1, 0))).toEqual([]);
  });
});
