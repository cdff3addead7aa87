import { describe, expect, it } from 'vitest';
import { GivenUp, letGo } from '../../../src/counters/given-up.js';
import type { SkbTrace, TraceEvent } from '../../../src/types.js';
import { skbTrace, traceEvent } from '../../support/traces.js';

const NS = 42;
const TUPLE = { saddr: '10.0.0.1', sport: 41000, daddr: '10.0.0.2', dport: 8000 };
const BACK = { saddr: TUPLE.daddr, sport: TUPLE.dport, daddr: TUPLE.saddr, dport: TUPLE.sport };

const traceOf = (tuple: typeof TUPLE, events: Partial<TraceEvent>[]): SkbTrace =>
  skbTrace({ tuple, events: events.map((event) => traceEvent({ netns: NS, ...event })) });

/** A segment that is sent at these times, and freed at last. */
function segment(sent: readonly number[], freed: number, flags = 'AP'): SkbTrace {
  const tcp = { seq: 1, ack: 1, flags, win: 1, payload: 0 };
  const first = { t: sent[0]!, func: '__tcp_transmit_skb', stage: 'tcp-out', tcp };
  const again = sent.slice(1).flatMap((t) => [
    { t, func: '__tcp_retransmit_skb', stage: 'tcp-out', tcp },
    { t: t + 0.004, func: '__tcp_transmit_skb', stage: 'tcp-out', tcp },
  ]);
  // the copy that was sent is lost elsewhere
  const lost = { t: sent.at(-1)!, skb: 1, netns: 43, func: 'kfree_skb', stage: 'life', tcp };
  return traceOf(TUPLE, [first, ...again, lost, { t: freed, func: '__kfree_skb', stage: 'life', tcp }]);
}
const answer = (t: number) => traceOf(BACK, [{ t, func: 'tcp_v4_rcv', stage: 'tcp-in' }]);

/** Is the connection given up with the first of these? */
function isGivenUp(first: SkbTrace, ...others: SkbTrace[]): boolean {
  const watch = new GivenUp();
  for (const trace of [first, ...others]) watch.see(trace);
  const end = letGo(first);
  return end !== undefined && watch.has(end);
}

describe('a connection is given up', () => {
  it('by the timer after a pause that is twice as long as the one before', () => {
    expect(isGivenUp(segment([0, 0.205, 0.621, 1.453], 3.117))).toBe(true);
    expect(isGivenUp(segment([0, 1.032, 3.047], 7.239, 'S'))).toBe(true);
    // tcp_syn_linear_timeouts
    expect(isGivenUp(segment([0, 1.02, 2.03], 4.04, 'S'))).toBe(true);
  });

  it('by no answer, nor by an application that has waited for some seconds', () => {
    expect(isGivenUp(segment([0, 0.205, 0.621, 1.453], 1.46))).toBe(false);
    expect(isGivenUp(segment([0, 1.02], 3, 'S'))).toBe(false);
    expect(isGivenUp(segment([0, 1.02, 3.04], 5, 'S'))).toBe(false);
    // a loss probe, and a slow answer
    expect(isGivenUp(segment([0, 0.01], 0.1))).toBe(false);
  });

  it('before that time where answers are seen of it, and none came', () => {
    const early = segment([0, 0.2, 0.6], 1);
    expect(isGivenUp(early)).toBe(false);
    expect(isGivenUp(early, answer(-1))).toBe(true);
    expect(isGivenUp(early, answer(-1), answer(0.999))).toBe(false);
    expect(isGivenUp(segment([0, 1.02], 1.1, 'S'), answer(-60))).toBe(false);
  });

  it('while its process was not running, if no ICMP error did it: under TCP_USER_TIMEOUT the last timer is short', () => {
    const syn = (pid: number): SkbTrace => {
      const trace = segment([0, 1.007], 1.014, 'S');
      const [first, ...others] = trace.events.map((event) => ({ ...event, pid }));
      return { ...trace, events: [{ ...first!, owner: { pid: 187, comm: 'curl' } }, ...others] };
    };
    expect(isGivenUp(syn(0))).toBe(true);
    expect(isGivenUp(syn(36))).toBe(true);
    expect(isGivenUp(syn(187))).toBe(false);
    const ofNobody = syn(36);
    delete ofNobody.events[0]!.owner;
    expect(isGivenUp(ofNobody)).toBe(false);
    expect(isGivenUp(syn(0), answer(1.013))).toBe(false);
    const error = (t: number, netns: number): SkbTrace => ({
      ...traceOf(TUPLE, [{ t, netns, func: 'icmp_rcv', stage: 'icmp', icmp: { type: 3, code: 1 } }]),
      proto: 'icmp',
    });
    expect(isGivenUp(syn(0), error(1.013, NS))).toBe(false);
    expect(isGivenUp(syn(0), error(0.5, NS), error(1.013, 43))).toBe(true);
    const { events } = syn(0);
    events.splice(-1, 0, traceEvent({ t: 1.013, netns: NS, func: '__icmp_send' }));
    expect(isGivenUp({ ...syn(0), events })).toBe(false);
    // data goes away with its ACK, of which nothing need be seen
    const data = segment([0, 0.205], 0.3);
    expect(isGivenUp({ ...data, events: data.events.map((event) => ({ ...event, pid: 0 })) })).toBe(false);
  });

  it('not with what was put into another segment, or where an RST was sent', () => {
    const head = segment([0.05, 0.3], 2);
    expect(isGivenUp(segment([0, 0.2], 0.3), head, answer(-1))).toBe(false);
    const reset = traceOf(TUPLE, [{ t: 1, func: '__tcp_transmit_skb', stage: 'tcp-out' }]);
    expect(isGivenUp(segment([0, 0.2], 1), reset, answer(-1))).toBe(false);
  });

  it('not where it was never sent again, or is not seen to be let go of', () => {
    expect(isGivenUp(segment([0], 3), answer(-1))).toBe(false);
    const open = segment([0, 0.2, 0.6], 2);
    expect(isGivenUp({ ...open, events: open.events.slice(0, -1) }, answer(-1))).toBe(false);
  });
});
