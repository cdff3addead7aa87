import { describe, expect, it } from 'vitest';
import { factOf } from '../../../../src/explain/connections/segment-fact.js';
import { skbTrace, traceEvent } from '../../../support/traces.js';

const tcp = { seq: 1, ack: 1, flags: 'AP', win: 1, payload: 100 };
const tuple = { saddr: '10.0.0.1', daddr: '10.0.0.2', sport: 41000, dport: 8000 };

function retransmissions(...funcs: string[]): number | undefined {
  const events = funcs.map((func) => traceEvent({ func, tcp }));
  return factOf(skbTrace({ proto: 'tcp', tuple, events }))?.retransmissions;
}

describe('a trace of nothing but the tracepoint of retransmissions', () => {
  it('is a notice, which counts each time', () => {
    const events = ['tcp_retransmit_skb', 'tcp_retransmit_skb'].map((func) => traceEvent({ func, tcp }));
    expect(factOf(skbTrace({ proto: 'tcp', tuple, events }))).toMatchObject({ isNotice: true, retransmissions: 2 });
    expect(factOf(skbTrace({ proto: 'tcp', tuple, events: [traceEvent({ tcp })] }))?.isNotice).toBe(false);
  });
});

describe('the socket that a segment comes to', () => {
  const meetsEstablished = (stage: string, state: string) =>
    factOf(skbTrace({ proto: 'tcp', tuple, events: [traceEvent({ stage, tcp, socket: { state } })] }))
      ?.meetsEstablished;

  it('is established already, or not', () => {
    expect(meetsEstablished('tcp-in', 'ESTABLISHED')).toBe(true);
    expect(meetsEstablished('tcp-in', 'SYN_SENT')).toBe(false);
  });

  it('is not that of its sender', () => expect(meetsEstablished('tcp-out', 'ESTABLISHED')).toBe(false));
});

describe('how often a segment was sent again', () => {
  it('is told by the function that does so, and by the tracepoint in its place', () => {
    expect(retransmissions('__tcp_transmit_skb', '__tcp_retransmit_skb', '__tcp_transmit_skb')).toBe(1);
    expect(retransmissions('net_dev_queue', 'tcp_retransmit_skb')).toBe(1);
  });

  it('is told by its further transmissions where that function is not seen', () => {
    expect(retransmissions('__tcp_transmit_skb', 'ip_rcv', '__tcp_transmit_skb', '__tcp_transmit_skb')).toBe(2);
  });

  it('is never where it was sent once, or only received', () => {
    expect(retransmissions('__tcp_transmit_skb', 'ip_rcv')).toBe(0);
    expect(retransmissions('ip_rcv', 'tcp_v4_rcv')).toBe(0);
  });
});
