import { describe, expect, it } from 'vitest';
import { ListedStates } from '../../../../src/connections/socket-states.js';
import { judgeConnection } from '../../../../src/explain/connections/judge-connection.js';
import type { SegmentFact } from '../../../../src/explain/connections/segment-fact.js';
import type { ConnectionVerdict } from '../../../../src/types.js';
import { inetSocket } from '../../../support/inet-sockets.js';
import { CLIENT, SERVER, segment } from '../../../support/segments.js';

const [CLIENT_NETNS, SERVER_NETNS] = [1, 2];
const LOST = { outcome: 'dropped', cause: 'not-for-this-mac' } as const;

function of(from: string, flags: string, t: number, more: Partial<SegmentFact> = {}): SegmentFact {
  return segment(flags, from, {
    t,
    sender: { netns: from === CLIENT ? CLIENT_NETNS : SERVER_NETNS, isBeforeNat: true },
    ...more,
  });
}

const HANDSHAKE = [
  of(CLIENT, 'S', 0, { seq: 99 }),
  of(SERVER, 'SA', 0, { seq: 500, ack: 100, establishes: true }),
  of(CLIENT, 'A', 0, { seq: 100, ack: 501, establishes: true }),
];
const probe = (t: number) => of(CLIENT, 'A', t, { seq: 99, ack: 501, ...LOST });
const reset = (t: number) => of(CLIENT, 'AR', t, { seq: 100, ack: 501, ...LOST });
const data = (t: number, more: Partial<SegmentFact> = {}) =>
  of(CLIENT, 'AP', t, { seq: 100, ack: 501, payload: 10, ...LOST, ...more });
const answer = (t: number, ack = 100) => of(SERVER, 'A', t, { seq: 501, ack });

/** What the namespaces list; one that is not given was not listed. */
interface Listed {
  client?: 'ESTABLISHED' | 'gone';
  server?: 'ESTABLISHED' | 'gone';
}

function statesOf({ client, server }: Listed): ListedStates {
  const states = new ListedStates();
  const tuple = { saddr: '10.0.0.1', sport: 41002, daddr: '10.0.0.2', dport: 8000 };
  // a socket of IPv6 has IPv4 addresses in the form of its own
  const turned = { saddr: '::ffff:a00:2', sport: 8000, daddr: '::ffff:a00:1', dport: 41002 };
  if (client)
    states.add(CLIENT_NETNS, client === 'gone' ? [] : [inetSocket({ netns: CLIENT_NETNS, tuple, state: client })]);
  if (server)
    states.add(
      SERVER_NETNS,
      server === 'gone' ? [] : [inetSocket({ netns: SERVER_NETNS, tuple: turned, state: server })],
    );
  return states;
}

function verdictOf(later: SegmentFact[], listed: Listed = {}): ConnectionVerdict & { endedBy: string | undefined } {
  const facts = { segments: [...HANDSHAKE, ...later], client: CLIENT, sockets: statesOf(listed) };
  const { verdict, endedBy } = judgeConnection(facts, { delivered: false, incomplete: 0 });
  return { ...verdict, endedBy };
}

describe('keepalive that gives up', () => {
  it('sends an RST when a further probe would be due, after probes that nobody answered', () => {
    const verdict = verdictOf([probe(10), probe(11), reset(12)]);
    expect(verdict).toMatchObject({ outcome: 'timed-out', cause: 'keepalive-timeout', endedBy: 'client' });
    expect(verdict.text).toContain('(the client gave it up)');
    expect(verdictOf([probe(10), reset(11.1)]).cause).toBe('keepalive-timeout');
  });

  it('shows the probes, though they were sent as if nothing were wrong', () => {
    const sent = (t: number) => ({ ...probe(t), outcome: 'sent' as const, cause: 'handed-to-driver' });
    const { cause, evidence } = verdictOf([sent(10), sent(11), { ...reset(12), outcome: 'sent' }]);
    expect(cause).toBe('keepalive-timeout');
    expect(evidence.filter((line) => line.includes('seq 99: sent'))).toHaveLength(2);
  });

  it.each([
    ['before a further probe is due: the application reset it', [probe(10), probe(11), reset(11.2)]],
    ['long after it was due', [probe(10), probe(11), reset(20)]],
    ['after the peer had answered', [probe(10), probe(11), answer(11.1), reset(12)]],
    ['without a probe', [reset(12)]],
    ['with another number', [probe(10), probe(11), { ...reset(12), seq: 200 }]],
  ])('is not what an RST is for that comes %s', (_what, later) => {
    expect(verdictOf(later).cause).not.toBe('keepalive-timeout');
  });
});

describe('retransmission that gives up', () => {
  it('leaves no socket, with data that never arrived', () => {
    const verdict = verdictOf([data(1), data(2)], { client: 'gone', server: 'ESTABLISHED' });
    expect(verdict).toMatchObject({ outcome: 'timed-out', cause: 'retransmission-timeout', endedBy: 'client' });
    expect(verdict.evidence.slice(-2)).toEqual([
      'at the end: the client has no socket',
      'at the end: the server has a socket in ESTABLISHED',
    ]);
  });

  it('may be one of a FIN', () => {
    const fin = (t: number) => of(CLIENT, 'AF', t, { seq: 100, ack: 501, ...LOST });
    expect(verdictOf([fin(1), fin(2), fin(4)], { client: 'gone' }).cause).toBe('retransmission-timeout');
  });

  it.each([
    ['while the socket is there', [data(1), data(2), data(4)], { client: 'ESTABLISHED' }, 'retransmitting'],
    ['where sockets are not known', [data(1), data(2), data(4)], {}, 'retransmitting'],
    ['where the data were acknowledged', [data(1), data(2), answer(3, 110)], { client: 'gone' }, 'connection-unclear'],
    [
      'where the application reset the connection meanwhile',
      [data(1), data(2), { ...reset(3), seq: 110 }],
      { client: 'gone', server: 'ESTABLISHED' },
      'one-side-vanished',
    ],
  ] as [string, SegmentFact[], Listed, string][])('is not told %s', (_what, later, listed, cause) => {
    expect(verdictOf(later, listed).cause).toBe(cause);
  });
});

describe('a connection of which one side has no socket', () => {
  it('is half-open', () => {
    expect(verdictOf([], { client: 'gone', server: 'ESTABLISHED' })).toMatchObject({
      outcome: 'half-open',
      cause: 'one-side-vanished',
      endedBy: 'client',
    });
    expect(verdictOf([], { client: 'ESTABLISHED', server: 'gone' }).endedBy).toBe('server');
  });

  it('is not known to be where the other side is another machine, or has none either: but that one does not stand', () => {
    expect(verdictOf([], { server: 'ESTABLISHED' }).cause).toBe('connection-open');
    expect(verdictOf([], { server: 'gone' }).cause).toBe('connection-unclear');
    expect(verdictOf([], { client: 'gone', server: 'gone' }).cause).toBe('connection-unclear');
  });

  it('was told so by a FIN', () => {
    const fin = of(CLIENT, 'AF', 1, { seq: 100, ack: 501 });
    expect(verdictOf([fin], { client: 'gone', server: 'ESTABLISHED' }).cause).toBe('connection-half-closed');
  });
});
