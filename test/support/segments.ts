import type { SegmentFact } from '../../src/explain/connections/segment-fact.js';

export const CLIENT = '10.0.0.1 41002';
export const SERVER = '10.0.0.2 8000';

/** A segment's fact, as a connection keeps it. */
export function segment(flags: string, from: string, more: Partial<SegmentFact> = {}): SegmentFact {
  return {
    t: 0,
    date: '2026-01-01T00:00:00.000000Z',
    from,
    to: from === CLIENT ? SERVER : CLIENT,
    flags,
    seq: 1,
    ack: 0,
    payload: 0,
    outcome: 'delivered',
    cause: 'taken-by-socket',
    establishes: false,
    meetsEstablished: false,
    retransmissions: 0,
    isNotice: false,
    complete: true,
    ...more,
  };
}
