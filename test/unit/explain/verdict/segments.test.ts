import { describe, expect, it } from 'vitest';
import { judge } from '../../../../src/explain/verdict/judge.js';
import type { KernelFacts } from '../../../../src/explain/verdict/sight.js';
import type { SocketInfo, TcpInfo, TraceEvent, Verdict } from '../../../../src/types.js';
import { skbTrace, traceEvent } from '../../../support/traces.js';

/** A kernel whose functions are attached. */
const FUNCTIONS: KernelFacts = { namesRequestRefusals: false, namesNotForwarding: true, sees: () => true };
/** Tracepoints alone, on a kernel whose tcp_check_req() names what it refuses, and on one that does not. */
const NAMING: KernelFacts = { namesRequestRefusals: true, namesNotForwarding: true, sees: () => false };
const SILENT: KernelFacts = { namesRequestRefusals: false, namesNotForwarding: true, sees: () => false };

const REQUEST: SocketInfo = {
  state: 'NEW_SYN_RECV',
  tsRecent: 100_000,
  tsRecentAge: 1,
  rcvNxt: 1001,
  windowStart: 1001,
  windowEnd: 66_001,
};
const CONNECTION: SocketInfo = {
  state: 'ESTABLISHED',
  newState: 'ESTABLISHED',
  tsRecent: 100_000,
  tsRecentAge: 5,
  rcvNxt: 5000,
  windowStart: 4500,
  windowEnd: 9000,
};

function tcp(flags: string, more: Partial<TcpInfo> = {}): TcpInfo {
  return { seq: 1001, ack: 1, flags, win: 100, payload: 0, tsval: 100_001, tsecr: 0, ...more };
}

function verdictOf(events: TraceEvent[], facts = FUNCTIONS): Verdict {
  return judge(skbTrace({ events }), { facts });
}

function said(events: TraceEvent[], facts?: KernelFacts) {
  const { outcome, cause } = verdictOf(events, facts);
  return [outcome, cause];
}

const received = (segment: TcpInfo) => traceEvent({ func: 'tcp_v4_rcv', stage: 'tcp-in', tcp: segment });
const freed = (segment: TcpInfo, location: string, more: Partial<NonNullable<TraceEvent['drop']>> = {}) =>
  traceEvent({ func: 'kfree_skb', stage: 'life', tcp: segment, drop: { location, ...more } });
const UNDECIDED = 'the RST ended the connection or its request, or it was refused: trace it to see';

/** A segment at tcp_check_req(), and freed in tcp_v4_rcv() as kernels before 6.15 do whatever came of it. */
function atRequest(segment: TcpInfo, socket: Partial<SocketInfo>, ret: number | string = 0): TraceEvent[] {
  return [
    received(segment),
    traceEvent({ func: 'tcp_check_req', stage: 'tcp-in', tcp: segment, socket: { ...REQUEST, ...socket }, ret }),
    freed(segment, 'tcp_v4_rcv+0x65', {
      reason: 'NOT_SPECIFIED',
      ...(segment.flags.includes('R') ? { noLoss: UNDECIDED } : {}),
    }),
  ];
}

/** A segment at tcp_validate_incoming() that ends there. */
function onConnection(segment: TcpInfo, socket: Partial<SocketInfo> = {}, ret = 0): TraceEvent[] {
  return [
    received(segment),
    traceEvent({
      func: 'tcp_validate_incoming',
      stage: 'tcp-in',
      tcp: segment,
      socket: { ...CONNECTION, ...socket },
      ret,
    }),
    traceEvent({ func: '__kfree_skb', stage: 'life', tcp: segment }),
  ];
}

describe('an RST for a request', () => {
  it.each([
    [
      'with the timestamp of the SYN ends it',
      tcp('R', { tsval: 100_000 }),
      { requestLeft: false },
      ['worked', 'rst-did-its-work'],
    ],
    [
      'without a timestamp ends it',
      { ...tcp('R'), tsval: undefined },
      { requestLeft: false },
      ['worked', 'rst-did-its-work'],
    ],
    [
      'with timestamp 0 is refused by PAWS',
      tcp('R', { tsval: 0 }),
      { requestLeft: true },
      ['dropped', 'paws-reject-in-handshake'],
    ],
    [
      'with an older timestamp is refused by PAWS',
      tcp('R', { tsval: 99_000 }),
      { requestLeft: true },
      ['dropped', 'paws-reject-in-handshake'],
    ],
    [
      'outside of the window is refused',
      tcp('R', { seq: 90_000 }),
      { requestLeft: true },
      ['dropped', 'rst-outside-window'],
    ],
    [
      'is judged by its numbers where the request was not looked at',
      tcp('R', { tsval: 0 }),
      {},
      ['dropped', 'paws-reject-in-handshake'],
    ],
    ['that numbers let pass worked where the request was not looked at', tcp('R'), {}, ['worked', 'rst-did-its-work']],
    [
      'that stays for no reason that shows is refused',
      tcp('R'),
      { requestLeft: true },
      ['dropped', 'segment-before-handshake-ack'],
    ],
  ] as const)('%s', (_what, segment, socket, expected) => {
    const { tsval, ...rest } = segment;
    const options = tsval === undefined ? {} : { tsval };
    expect(said(atRequest({ ...rest, ...options } as TcpInfo, socket))).toEqual(expected);
  });

  it('that goes on to the listener has an ACK number of none', () => {
    expect(said(atRequest(tcp('RA'), {}, '0xffff888000000000'))).toEqual(['dropped', 'ack-not-acceptable']);
  });

  it('names the numbers that were compared', () => {
    const { evidence, text } = verdictOf(atRequest(tcp('R', { tsval: 0 }), { requestLeft: true }));
    expect(text).toContain('(timestamp 0 is older than ts_recent 100000, which is 1 s old at most)');
    expect(evidence).toContain('tcp_check_req: seq 1001 to 1001, expected 1001, window 1001 to 66001');
    expect(evidence).toContain('tcp_check_req: the request is still there afterwards');
  });

  it('is accepted with an old timestamp once that was remembered for a minute', () => {
    expect(said(atRequest(tcp('R', { tsval: 0 }), { tsRecentAge: 64 }))).toEqual(['worked', 'rst-did-its-work']);
  });

  it('holds numbers against each other that have wrapped', () => {
    const socket = { tsRecent: 5, rcvNxt: 3, windowStart: 0xfffffff0, windowEnd: 100 };
    expect(said(atRequest(tcp('R', { tsval: 0xfffffff0, seq: 1 }), { ...socket, requestLeft: true }))).toEqual([
      'dropped',
      'paws-reject-in-handshake',
    ]);
    expect(said(atRequest(tcp('R', { tsval: 6, seq: 0xfffffff0 }), { ...socket }))).toEqual([
      'worked',
      'rst-did-its-work',
    ]);
  });
});

describe('an RST that only tracepoints show', () => {
  const reset = tcp('R');
  const events = (reason: string | undefined) => [
    traceEvent({ func: 'netif_receive_skb', stage: 'device-in', tcp: reset }),
    freed(reset, 'tcp_v4_rcv+0x65', { ...(reason ? { reason } : {}), noLoss: UNDECIDED }),
  ];

  it('did its work where the kernel would name a refusal, and says that this is seen from the reason alone', () => {
    expect(said(events('NOT_SPECIFIED'), NAMING)).toEqual(['worked', 'rst-did-its-work']);
    expect(verdictOf(events('NOT_SPECIFIED'), NAMING).text).toContain('or came for one in TIME_WAIT');
  });

  it('is undecided where it would not', () => {
    expect(said(events('NOT_SPECIFIED'), SILENT)).toEqual(['unknown', 'rst-undecided']);
    expect(said(events(undefined), SILENT)).toEqual(['unknown', 'rst-undecided']);
    expect(said(events(undefined), NAMING)).toEqual(['unknown', 'rst-undecided']);
  });

  it('was refused by PAWS in the handshake where the reason says so in tcp_v4_rcv', () => {
    const refused = [freed(reset, 'tcp_v4_rcv+0x65', { reason: 'TCP_RFC7323_PAWS' })];
    expect(said(refused, NAMING)).toEqual(['dropped', 'paws-reject-in-handshake']);
    const later = [freed(reset, 'tcp_validate_incoming+0x65', { reason: 'TCP_RFC7323_PAWS' })];
    expect(said(later, NAMING)).toEqual(['dropped', 'paws-reject-established']);
  });

  it('did its work where a socket is closed by it', () => {
    const state = traceEvent({
      func: 'inet_sock_set_state',
      stage: 'tcp-in',
      tcp: reset,
      socket: { state: 'ESTABLISHED', newState: 'CLOSE' },
    });
    expect(said([state], SILENT)).toEqual(['worked', 'rst-did-its-work']);
  });

  it('found no socket where the reason says so', () => {
    expect(said([freed(reset, 'tcp_v4_rcv+0x65', { reason: 'NO_SOCKET' })], NAMING)).toEqual([
      'dropped',
      'rst-without-connection',
    ]);
  });
});

describe('another segment for a request', () => {
  it.each([
    ['a SYN again', tcp('S', { seq: 1000 }), {}, ['worked', 'syn-repeated']],
    [
      'an ACK with an old timestamp',
      tcp('A', { tsval: 1 }),
      { requestLeft: true },
      ['dropped', 'paws-reject-in-handshake'],
    ],
    ['data outside of the window', tcp('A', { seq: 99_000, payload: 5 }), {}, ['dropped', 'segment-outside-window']],
    ['a SYN with another number', tcp('S', { seq: 1005 }), {}, ['rejected', 'syn-in-connection']],
    ['a bare ACK that waits for data', tcp('A'), { requestLeft: true }, ['dropped', 'accept-deferred']],
    ['a FIN without ACK', tcp('F'), { requestLeft: true }, ['dropped', 'segment-before-handshake-ack']],
  ] as const)('%s', (_what, segment, socket, expected) => {
    expect(said(atRequest(segment, socket))).toEqual(expected);
  });

  it('that makes a socket is taken', () => {
    const segment = tcp('A');
    const events = [
      ...atRequest(segment, {}, '0xffff888000000000').slice(0, 2),
      traceEvent({ func: 'tcp_child_process', stage: 'tcp-in', tcp: segment }),
    ];
    expect(said(events)).toEqual(['delivered', 'taken-by-socket']);
  });
});

describe('a segment that a connection does not take', () => {
  it.each([
    [
      'an RST with the next number ends it',
      tcp('R', { seq: 5000 }),
      { newState: 'CLOSE' },
      ['worked', 'rst-did-its-work'],
    ],
    [
      'an old timestamp of an RST does not matter',
      tcp('R', { seq: 5000, tsval: 1 }),
      { newState: 'CLOSE' },
      ['worked', 'rst-did-its-work'],
    ],
    ['an RST behind the next number is challenged', tcp('R', { seq: 5001 }), {}, ['dropped', 'rst-challenged']],
    ['an RST outside of the window is refused', tcp('R', { seq: 20_000 }), {}, ['dropped', 'rst-outside-window']],
    [
      'data with an old timestamp',
      tcp('A', { seq: 5000, payload: 10, tsval: 99_000 }),
      {},
      ['dropped', 'paws-reject-established'],
    ],
    ['data behind the window', tcp('A', { seq: 9001, payload: 10 }), {}, ['dropped', 'segment-outside-window']],
    ['data that came before', tcp('A', { seq: 4000, payload: 100 }), {}, ['dropped', 'old-duplicate']],
    ['a keepalive is answered', tcp('A', { seq: 4999 }), { windowStart: 5000 }, ['worked', 'probe-answered']],
    ['data for a closed window', tcp('A', { seq: 5001, payload: 9 }), { windowEnd: 5000 }, ['dropped', 'zero-window']],
    ['a SYN is challenged', tcp('S', { seq: 5000 }), {}, ['dropped', 'syn-in-connection']],
    ['so is a SYN-ACK of another connection', tcp('SA', { seq: 5000 }), {}, ['dropped', 'syn-in-connection']],
    ['that of this one came again', tcp('SA', { seq: 4999 }), { windowStart: 5000 }, ['dropped', 'syn-ack-repeated']],
  ] as const)('%s', (_what, segment, socket, expected) => {
    expect(said(onConnection(segment, socket))).toEqual(expected);
  });

  it('is nothing where the function lets it through', () => {
    const segment = tcp('A', { seq: 5000, payload: 10 });
    expect(said(onConnection(segment, {}, 1))).toEqual(['delivered', 'taken-by-socket']);
  });

  it('says that an RST is not asked for its timestamp', () => {
    const { evidence } = verdictOf(onConnection(tcp('R', { seq: 5000, tsval: 1 }), { newState: 'CLOSE' }));
    expect(evidence).toContain('tcp_validate_incoming: an old timestamp does not matter to an RST on a connection');
  });

  it('is an overtaken ACK where the kernel says so', () => {
    const segment = tcp('A', { seq: 5000, tsval: 99_000 });
    const events = [
      ...onConnection(segment).slice(0, 2),
      freed(segment, 'tcp_validate_incoming+0x1', { reason: 'TCP_RFC7323_PAWS_ACK' }),
    ];
    expect(said(events)).toEqual(['dropped', 'paws-old-ack']);
  });

  it('is data in the queue of the socket that is thrown away', () => {
    const queue = (segment: TcpInfo, socket: Partial<SocketInfo> = {}) =>
      said([
        traceEvent({ func: 'tcp_data_queue', stage: 'tcp-in', tcp: segment, socket: { ...CONNECTION, ...socket } }),
      ]);
    expect(queue(tcp('A', { seq: 4900, payload: 100 }))).toEqual(['dropped', 'old-duplicate']);
    expect(queue(tcp('A', { seq: 5000, payload: 100 }), { windowEnd: 5000 })).toEqual(['dropped', 'zero-window']);
    expect(queue(tcp('A', { seq: 9000, payload: 100 }))).toEqual(['dropped', 'segment-outside-window']);
    expect(queue(tcp('A', { seq: 5000, payload: 100 }))).toEqual(['delivered', 'taken-by-socket']);
  });
});

describe('a segment for a connection in TIME_WAIT', () => {
  const wait: SocketInfo = { ...CONNECTION, state: 'TIME_WAIT', windowStart: 5000 };
  const at = (segment: TcpInfo, ret: number) =>
    said([traceEvent({ func: 'tcp_timewait_state_process', stage: 'tcp-in', tcp: segment, socket: wait, ret })]);

  it('is acknowledged, refused, or ends it', () => {
    expect(at(tcp('AF', { seq: 4999 }), 2)).toEqual(['worked', 'time-wait-acknowledged']);
    expect(at(tcp('A', { seq: 5000, tsval: 1 }), 2)).toEqual(['dropped', 'paws-reject-time-wait']);
    expect(at(tcp('A', { seq: 5000, payload: 5 }), 1)).toEqual(['rejected', 'time-wait-reset']);
    expect(at(tcp('R', { seq: 5000 }), 0)).toEqual(['worked', 'rst-did-its-work']);
    expect(at(tcp('R', { seq: 6000 }), 0)).toEqual(['unknown', 'rst-undecided']);
    expect(at(tcp('R', { seq: 60_000 }), 0)).toEqual(['dropped', 'rst-outside-window']);
  });

  it('is an RST that ends it or is ignored, as tcp_rfc1337 says, where that can be read', () => {
    const func = 'tcp_timewait_state_process';
    const event = traceEvent({ func, stage: 'tcp-in', tcp: tcp('R', { seq: 5000 }), socket: wait, ret: 0 });
    const verdictWith = (...values: string[]) =>
      judge(skbTrace({ events: [event] }), {
        facts: FUNCTIONS,
        read: (names) =>
          names.flatMap((name) => (name.endsWith('rfc1337') ? values.map((value) => ({ name, value })) : [])),
      });
    expect(verdictWith().text).toContain('unless net.ipv4.tcp_rfc1337 is set');
    expect(verdictWith('0')).toMatchObject({ cause: 'rst-did-its-work' });
    expect(verdictWith('0').text).not.toContain('unless');
    expect(verdictWith('1')).toMatchObject({ outcome: 'dropped', cause: 'rst-ignored-in-time-wait' });
  });
});
