import { describe, expect, it } from 'vitest';
import { ConnectionJudge } from '../../../../src/explain/connections/connection-judge.js';
import type { ConnectionRecord, Outcome, SkbTrace, TraceEvent } from '../../../../src/types.js';
import { skbTrace, traceEvent } from '../../../support/traces.js';

const CLIENT = { address: '10.0.0.1', port: 40000 };
const SERVER = { address: '10.0.0.2', port: 80 };

interface Segment {
  flags: string;
  seq?: number;
  ack?: number;
  payload?: number;
  outcome?: Outcome;
  cause?: string;
  /** It makes a socket ESTABLISHED. */
  makes?: boolean;
  again?: number;
  /** Times that the tracepoint of retransmissions tells of, and no packet. */
  notice?: number;
  complete?: boolean;
}

/** Traces of segments, one after another; `>` from the client, `<` from the server. */
function traces(...segments: ['>' | '<', Segment][]): SkbTrace[] {
  return segments.map(([way, segment], i) => {
    const [from, to] = way === '>' ? [CLIENT, SERVER] : [SERVER, CLIENT];
    const { flags, seq = 1, ack = 0, payload = 0, outcome = 'delivered', cause = 'taken-by-socket' } = segment;
    const tcp = { seq, ack, flags, win: 1, payload };
    const notice = traceEvent({ func: 'tcp_retransmit_skb', tcp });
    const events: TraceEvent[] = segment.notice ? Array(segment.notice).fill(notice) : [traceEvent({ tcp })];
    if (segment.makes) events.push(traceEvent({ socket: { state: 'SYN_RECV', newState: 'ESTABLISHED' } }));
    for (let n = 0; n < (segment.again ?? 0); n++)
      events.push(traceEvent({ func: '__tcp_retransmit_skb' }), traceEvent({ func: '__tcp_transmit_skb' }));
    return skbTrace({
      tuple: { saddr: from.address, sport: from.port, daddr: to.address, dport: to.port },
      start: i,
      events,
      complete: segment.complete ?? true,
      verdict: { outcome, cause, facts: [], text: '', advice: [], evidence: [] },
    });
  });
}

function judged(all: SkbTrace[]): ConnectionRecord[] {
  const judge = new ConnectionJudge();
  for (const trace of all) judge.add(trace);
  return [...judge.end()].filter((record) => record.type === 'connection');
}

function only(all: SkbTrace[]): ConnectionRecord {
  const records = judged(all);
  expect(records).toHaveLength(1);
  return records[0]!;
}

const SYN: ['>', Segment] = ['>', { flags: 'S' }];
const SYN_ACK: ['<', Segment] = ['<', { flags: 'SA', makes: true }];
const BARE_SYN_ACK: ['<', Segment] = ['<', { flags: 'SA' }];
const ACK: ['>', Segment] = ['>', { flags: 'A', makes: true }];
const REFUSED: Segment = { flags: 'R', outcome: 'dropped', cause: 'paws-reject-in-handshake' };
const WORKED: Segment = { flags: 'R', outcome: 'worked', cause: 'rst-did-its-work' };
const LOST: Segment = { flags: 'AP', payload: 5, outcome: 'dropped', cause: 'mtu-exceeded' };
const SENT: Segment = { flags: 'AP', payload: 5, outcome: 'sent', cause: 'handed-to-driver' };
const FIN: Segment = { flags: 'AF' };

describe('a connection', () => {
  it.each([
    ['that stands', [SYN, SYN_ACK, ACK], 'open', 'connection-open'],
    ['that both sides close', [SYN, SYN_ACK, ACK, ['>', FIN], ['<', FIN]], 'closed', 'connection-closed'],
    ['that one side closes', [SYN, SYN_ACK, ACK, ['<', FIN]], 'open', 'connection-half-closed'],
    ['that is reset', [SYN, SYN_ACK, ACK, ['<', WORKED]], 'reset', 'connection-reset'],
    ['that is reset in its handshake', [SYN, BARE_SYN_ACK, ['>', WORKED]], 'reset', 'connection-reset-in-handshake'],
    ['whose RST was refused before the ACK', [SYN, BARE_SYN_ACK, ['>', REFUSED], ACK], 'stray', 'stray-connection'],
    [
      "whose refused RST was not the client's: it sends data beyond it",
      [SYN, BARE_SYN_ACK, ['>', REFUSED], ACK, ['>', { flags: 'AP', payload: 5 }]],
      'open',
      'connection-open',
    ],
    [
      "whose refused RST was not the client's: it acknowledges what the server sends",
      [
        SYN,
        BARE_SYN_ACK,
        ['>', REFUSED],
        ACK,
        ['<', { flags: 'AP', payload: 5, seq: 2 }],
        ['>', { flags: 'A', ack: 7 }],
      ],
      'open',
      'connection-open',
    ],
    [
      'whose data was sent before the RST that was refused, and came after it',
      [SYN, BARE_SYN_ACK, ['>', { ...REFUSED, seq: 6 }], ACK, ['>', { flags: 'AP', payload: 5 }]],
      'stray',
      'stray-connection',
    ],
    [
      'that an RST with a number far off was sent for: anybody can',
      [SYN, BARE_SYN_ACK, ['>', { ...REFUSED, seq: 9e8, cause: 'rst-outside-window' }], ACK],
      'open',
      'connection-open',
    ],
    [
      'whose RST was refused and repeated',
      [SYN, BARE_SYN_ACK, ['>', REFUSED], ACK, ['>', WORKED]],
      'reset',
      'connection-reset',
    ],
    [
      'that is refused',
      [
        ['>', { flags: 'S', outcome: 'rejected', cause: 'no-listener' }],
        ['<', { ...WORKED, flags: 'AR' }],
      ],
      'refused',
      'connection-refused',
    ],
    [
      'whose next hop does not answer',
      [
        ['>', { flags: 'S', outcome: 'dropped', cause: 'neighbour-failed' }],
        ['>', { flags: 'S', notice: 1 }],
      ],
      'refused',
      'next-hop-unreachable',
    ],
    ['whose SYN gets no answer', [['>', { flags: 'S', again: 3 }]], 'timed-out', 'syn-unanswered'],
    [
      'whose SYN is dropped',
      [['>', { flags: 'S', outcome: 'dropped', cause: 'netfilter-drop' }]],
      'timed-out',
      'syn-unanswered',
    ],
    ['whose SYN-ACK gets no answer', [SYN, ['<', { flags: 'SA', again: 1 }]], 'timed-out', 'syn-ack-unanswered'],
    [
      'whose SYN-ACK is dropped',
      [SYN, ['<', { flags: 'SA', outcome: 'dropped', cause: 'not-for-this-mac' }]],
      'timed-out',
      'syn-ack-unanswered',
    ],
    [
      'that the server has not',
      [SYN, SYN_ACK, ['>', { flags: 'A', outcome: 'dropped', cause: 'accept-queue-full' }], SYN_ACK],
      'half-open',
      'server-has-no-connection',
    ],
    [
      'that the host does not know',
      [['>', { flags: 'AP', payload: 5, outcome: 'rejected', cause: 'no-connection' }]],
      'refused',
      'segments-of-no-connection',
    ],
    ['whose peer is gone', [SYN, SYN_ACK, ACK, ['>', { ...SENT, again: 4 }]], 'open', 'retransmitting'],
    [
      'whose data are seen again as other packets',
      [SYN, SYN_ACK, ACK, ['>', LOST], ['>', LOST], ['>', LOST]],
      'open',
      'retransmitting',
    ],
    [
      'whose data are sent again, as a notice says, with nothing of the packets but that they were sent',
      [SYN, SYN_ACK, ACK, ['>', SENT], ['>', { ...SENT, notice: 2 }], ['>', SENT], ['>', SENT]],
      'open',
      'retransmitting',
    ],
    [
      'whose data were acknowledged in the end',
      [SYN, SYN_ACK, ACK, ['>', LOST], ['>', LOST], ['>', LOST], ['>', SENT], ['<', { flags: 'A', ack: 6 }]],
      'open',
      'connection-open',
    ],
    [
      'whose data reached the receiver in the end, with no ACK seen yet',
      [SYN, SYN_ACK, ACK, ['>', LOST], ['>', LOST], ['>', LOST], ['>', { flags: 'AP', payload: 5 }]],
      'open',
      'connection-open',
    ],
    [
      'whose data were acknowledged by what did not arrive',
      [SYN, SYN_ACK, ACK, ['>', LOST], ['>', LOST], ['>', LOST], ['<', { ...LOST, payload: 0, ack: 6 }]],
      'open',
      'retransmitting',
    ],
    [
      'of which different data were lost',
      [SYN, SYN_ACK, ACK, ['>', LOST], ['>', { ...LOST, seq: 6 }], ['>', { ...LOST, seq: 11 }]],
      'open',
      'connection-open',
    ],
    [
      'that a cookie began',
      [['>', { flags: 'S', outcome: 'rejected', cause: 'syn-cookie-sent' }], SYN_ACK, ACK],
      'open',
      'connection-open',
    ],
    ['of which only data was seen', [['>', { flags: 'AP', payload: 5 }]], 'open', 'connection-open'],
    ['of which one SYN was seen', [SYN], 'unknown', 'connection-unclear'],
  ] as [string, ['>' | '<', Segment][], string, string][])('%s', (_what, segments, outcome, cause) => {
    expect(only(traces(...segments)).verdict).toMatchObject({ outcome, cause });
    // traces are finished in another order than they began in
    expect(only(traces(...segments).reverse()).verdict).toMatchObject({ outcome, cause });
  });

  it('names the client, who ended it, and how often the SYN was sent', () => {
    const all = traces(['>', { flags: 'S', again: 2 }], SYN_ACK, ACK, ['<', FIN], ['>', FIN]);
    const record = only(all.reverse());
    expect(record).toMatchObject({
      tuple: { saddr: CLIENT.address, sport: CLIENT.port, daddr: SERVER.address, dport: SERVER.port },
      established: true,
      endedBy: 'server',
      synRetransmissions: 2,
      traces: 5,
      start: 0,
      end: 4,
    });
    expect(record.verdict.text).toContain('(the server was the first); the SYN was sent 3 times');
  });

  it('counts a SYN once, whether its packet or a notice tells that it was sent again, or both', () => {
    const count = (...segments: Parameters<typeof traces>) => only(traces(...segments)).synRetransmissions;
    expect(count(SYN, SYN, ['>', { flags: 'S', notice: 1 }])).toBe(1);
    expect(count(SYN, ['>', { flags: 'S', notice: 1 }])).toBe(1);
    expect(count(SYN, SYN, SYN)).toBe(2);
  });

  it('shows of plain data only what says that it was sent again', () => {
    const data = (seq: number): ['>', Segment] => ['>', { ...SENT, seq }];
    const { verdict, traces: count } = only(traces(SYN, SYN_ACK, ACK, ...[1, 6, 11, 16, 21, 21, 21, 21].map(data)));
    expect(verdict.evidence.slice(3)).toEqual(
      [7, 8, 9, 10].map((t) => `${t}.000000 client AP seq 21: sent (handed-to-driver)`),
    );
    expect(count).toBe(11);
  });

  it('that uses the ports again is another one', () => {
    const records = judged(traces(SYN, BARE_SYN_ACK, ['>', WORKED], ['>', { flags: 'S', seq: 99 }], SYN_ACK, ACK));
    expect(records.map(({ verdict }) => verdict.cause)).toEqual(['connection-reset-in-handshake', 'connection-open']);
  });

  it('tells what it rests on, the middle left out, and that events were lost', () => {
    const many = Array.from({ length: 30 }, (): ['>', Segment] => ['>', { ...REFUSED, complete: false }]);
    const { verdict } = only(traces(SYN, BARE_SYN_ACK, ...many, ACK));
    expect(verdict.evidence).toHaveLength(13);
    expect(verdict.evidence[0]).toBe('0.000000 client S seq 1: delivered (taken-by-socket)');
    expect(verdict.evidence[6]).toBe('21 more');
    expect(verdict.text).toContain('events were lost');
  });

  it('behind NAT is one, whichever address its packets had', () => {
    const [syn, answer] = traces(SYN, SYN_ACK);
    const inside = { saddr: '10.0.0.1', sport: 40000, daddr: '192.168.0.2', dport: 80 };
    syn!.events.push(traceEvent({ tuple: inside }));
    answer!.tuple = { saddr: '192.168.0.2', sport: 80, daddr: '10.0.0.1', dport: 40000 };
    expect(only([syn!, answer!]).verdict.cause).toBe('connection-open');
  });

  it('is one of a bounded number; the rest is counted', () => {
    const judge = new ConnectionJudge(1);
    const [first, second] = traces(SYN, SYN);
    second!.tuple = { ...second!.tuple!, sport: 40001 };
    judge.add(first!);
    judge.add(second!);
    expect([...judge.end()]).toMatchObject([{ type: 'connection' }, { type: 'connections-omitted', count: 1 }]);
  });

  it('is of TCP: other packets are none', () => {
    expect(judged([skbTrace({ proto: 'udp' })])).toEqual([]);
  });
});
