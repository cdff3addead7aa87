import { describe, expect, it } from 'vitest';
import { judgeConnection } from '../../../../src/explain/connections/judge-connection.js';
import type { SegmentFact } from '../../../../src/explain/connections/segment-fact.js';
import { CLIENT, SERVER, segment } from '../../../support/segments.js';

const reset = segment('R', CLIENT, { outcome: 'worked', cause: 'rst-did-its-work' });
const handshake = [segment('SA', SERVER, { establishes: true }), segment('A', CLIENT, { establishes: true })];

function causeOf(...segments: SegmentFact[]): string {
  return judgeConnection({ segments, client: CLIENT }, { delivered: false, incomplete: 0 }).verdict.cause;
}

describe('an RST of a connection', () => {
  it('before the handshake has ended another one with the same ports: SYN, ACK of TIME_WAIT, RST, SYN-ACK, ACK', () => {
    const syn = segment('S', CLIENT, { retransmissions: 1 });
    const late = segment('A', SERVER, { outcome: 'rejected', cause: 'ack-not-acceptable' });
    expect(causeOf(syn, late, reset, ...handshake)).toBe('connection-open');
  });

  it('after the handshake has ended this one', () => {
    expect(causeOf(segment('S', CLIENT), ...handshake, reset)).toBe('connection-reset');
  });

  it('without a handshake afterwards has ended the attempt', () => {
    expect(causeOf(segment('S', CLIENT), segment('SA', SERVER), reset)).toBe('connection-reset-in-handshake');
  });
});
