import { describe, expect, it } from 'vitest';
import { packetCause } from '../../../../src/explain/causes/index.js';
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
    // what the functions returned that made it stand was not seen
    const late = { ...reset, meetsEstablished: true };
    expect(causeOf(segment('S', CLIENT), segment('SA', SERVER), late)).toBe('connection-reset');
  });
});

describe('the verdict on a connection', () => {
  const verdictOf = (...segments: SegmentFact[]) =>
    judgeConnection({ segments, client: CLIENT }, { delivered: false, incomplete: 0 }).verdict;
  const sender = { netns: 1, isBeforeNat: true };
  const advice = (id: string) => packetCause(id).advice;

  it('says where the SYN was lost, if that was here the last time', () => {
    const lost = { outcome: 'dropped', cause: 'netfilter-drop' } as const;
    const { cause, text, advice: said } = verdictOf(segment('S', CLIENT, { ...lost, retransmissions: 1 }));
    expect({ cause, text, said }).toEqual({
      cause: 'syn-unanswered',
      text: expect.stringContaining('the SYN was lost here: a netfilter rule or policy dropped it'),
      said: [advice('netfilter-drop')],
    });
    const elsewhere = verdictOf(segment('S', CLIENT, lost), segment('S', CLIENT, { outcome: 'sent' }));
    expect(elsewhere.text).not.toContain('lost here');
    const answered = { outcome: 'rejected', cause: 'mtu-exceeded', retransmissions: 2 } as const;
    const large = verdictOf(
      segment('S', CLIENT),
      ...handshake,
      segment('A', CLIENT, { ...answered, seq: 9, payload: 2000 }),
    );
    expect(large).toMatchObject({ cause: 'retransmitting', advice: [advice('mtu-exceeded')] });
    // an answer, and no loss
    const cookie = verdictOf(
      segment('S', CLIENT, { outcome: 'rejected', cause: 'syn-cookie-sent', retransmissions: 1 }),
    );
    expect(cookie.text).not.toContain('lost here');
  });

  it('says which segment an RST answered, by its number', () => {
    const data = segment('A', CLIENT, { seq: 50, ack: 77, outcome: 'rejected', cause: 'time-wait-reset' });
    const answer = segment('R', SERVER, { seq: 77, outcome: 'worked', cause: 'rst-did-its-work', sender });
    const said = verdictOf(segment('S', CLIENT), ...handshake, data, answer);
    expect(said.cause).toBe('connection-reset');
    expect(said.text).toContain(`it answered a segment: ${packetCause('time-wait-reset').sentence}`);
    expect(said.advice).toEqual([advice('time-wait-reset')]);
    expect(verdictOf(segment('S', CLIENT), ...handshake, data, { ...answer, seq: 78 }).text).not.toContain('answered');
  });

  it('says that an RST with ACK is its own of its socket, if it was sent here', () => {
    const own = segment('AR', SERVER, { seq: 77, outcome: 'worked', cause: 'rst-did-its-work', sender });
    const connection = [segment('S', CLIENT), ...handshake];
    expect(verdictOf(...connection, own).advice[0]).toContain('TcpExtTCPAbortOnClose');
    const { sender: _, ...foreign } = own;
    expect(verdictOf(...connection, foreign).advice[0]).not.toContain('TcpExtTCPAbortOnClose');
  });
});
