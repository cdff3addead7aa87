import { expect as check, describe, it } from 'vitest';
import { PROBES } from '../../../src/generated/probes.js';
import { byKernel } from '../../../src/repro/by-kernel.js';
import { type Observation, runCheck } from '../../../src/repro/check.js';
import { Expect } from '../../../src/repro/expect.js';
import type { HostSocket } from '../../../src/repro/result.js';
import type { InetSocket, SkbTrace } from '../../../src/types.js';
import { skbTrace, traceEvent } from '../../support/traces.js';

const tcp = (flags: string, more: object = {}) => ({ seq: 1, ack: 0, flags, win: 1, payload: 0, ...more });

/** An RST that is refused, as 6.18 shows it, and the SYN of another connection. */
const RST = skbTrace({
  id: 'a1',
  events: [
    traceEvent({ func: 'tcp_v4_rcv', tcp: tcp('R', { tsval: 0 }) }),
    traceEvent({ func: 'tcp_check_req', socket: { tsRecent: 100, requestLeft: true } }),
    traceEvent({
      func: 'kfree_skb',
      drop: { location: 'tcp_v4_rcv.constprop.0+0x65', reason: 'TCP_RFC7323_PAWS' },
      notes: [{ level: 'error', text: 'packet is dropped by kernel' }],
    }),
  ],
  verdict: { ...skbTrace().verdict, outcome: 'dropped', cause: 'paws-reject-in-handshake' },
});
const SYN = skbTrace({
  id: 'b2',
  tuple: { saddr: '10.0.0.1', sport: 40000, daddr: '10.0.0.2', dport: 80 },
  events: [traceEvent({ func: 'tcp_v4_rcv', tcp: tcp('S') }), traceEvent({ func: 'tcp_send_reset' })],
  verdict: { ...skbTrace().verdict, outcome: 'rejected', cause: 'no-listener' },
});

function hostSocket(host: string, socket: Partial<InetSocket>, more: Partial<HostSocket> = {}): HostSocket {
  return {
    host,
    isStray: false,
    socket: {
      v: 1,
      type: 'inet-socket',
      netns: 1,
      proto: 'tcp',
      state: 'ESTABLISHED',
      tuple: { saddr: '10.0.0.2', sport: 8000, daddr: '10.0.0.1', dport: 41000 },
      recvQueue: 0,
      sendQueue: 0,
      uid: 0,
      inode: 0,
      cookie: '1',
      ...socket,
    },
    ...more,
  };
}

function observation(more: Partial<Observation> = {}): Observation {
  return {
    version: [6, 18],
    traces: [RST, SYN],
    counter: (name, host) => (name === 'PAWSEstab' ? (host === 'client' ? 0 : 3) : undefined),
    sockets: [hostSocket('server', {}, { isStray: true }), hostSocket('client', { state: 'LISTEN' })],
    connections: [],
    hosts: ['client', 'server'],
    isTraced: (name) => PROBES.some((probe) => probe.name === name),
    invisible: () => undefined,
    standIns: () => [],
    noFunctions: undefined,
    ...more,
  };
}

/** The status of the one thing that is said, and what is said of it. */
function judged(say: (expect: Expect) => void, observed: Observation = observation()) {
  const expect = new Expect(observed);
  say(expect);
  const [only, ...others] = expect.checks.map((one) => runCheck(one, observed));
  check(others).toEqual([]);
  return only!;
}
const status = (say: (expect: Expect) => void, observed?: Observation) => judged(say, observed).status;

const rst = { flags: 'R' };
const syn = { flags: 'S' };

describe('what is expected of a packet', () => {
  it.each<[string, (expect: Expect) => void, string]>([
    ['dropped there', (e) => e.trace(rst).toBeDroppedAt('tcp_v4_rcv'), 'ok'],
    ['dropped elsewhere', (e) => e.trace(rst).toBeDroppedAt('tcp_v4_do_rcv'), 'failed'],
    ['dropped for that', (e) => e.trace(rst).toBeDroppedAt('tcp_v4_rcv', 'TCP_RFC7323_PAWS'), 'ok'],
    ['dropped for something else', (e) => e.trace(rst).toBeDroppedAt('tcp_v4_rcv', 'NO_SOCKET'), 'failed'],
    ['dropped for no reason', (e) => e.trace(rst).toBeDroppedAt('tcp_v4_rcv', undefined), 'failed'],
    ['not dropped, and it is', (e) => e.trace(rst).toNotBeDropped(), 'failed'],
    ['not dropped', (e) => e.trace(syn).toNotBeDropped(), 'ok'],
    ['not dropped, and there is none', (e) => e.trace({ flags: 'F' }).toNotBeDropped(), 'failed'],
    ['passes a function', (e) => e.trace(rst).toPass('tcp_check_req'), 'ok'],
    ['passes another', (e) => e.trace(syn).toPass('tcp_check_req'), 'failed'],
    ['with part of it', (e) => e.trace(rst).toPass('tcp_check_req', { socket: { tsRecent: 100 } }), 'ok'],
    ['with another part', (e) => e.trace(rst).toPass('tcp_check_req', { socket: { tsRecent: 1 } }), 'failed'],
    ['with a note', (e) => e.trace(rst).toPass('kfree_skb', { note: /dropped/ }), 'ok'],
    ['with another note', (e) => e.trace(rst).toPass('kfree_skb', { note: 'cloned' }), 'failed'],
    ['does not pass it', (e) => e.trace(syn).toNotPass('tcp_check_req'), 'ok'],
    ['does not pass it, and it does', (e) => e.trace(rst).toNotPass('tcp_check_req'), 'failed'],
    ['a note', (e) => e.trace(rst).toHaveNote('dropped by kernel'), 'ok'],
    ['no such note', (e) => e.trace(syn).toHaveNote('dropped by kernel'), 'failed'],
    ['outcome', (e) => e.trace(syn).toHaveOutcome('rejected'), 'ok'],
    ['another outcome', (e) => e.trace(syn).toHaveOutcome('dropped'), 'failed'],
    ['cause', (e) => e.trace(rst).toHaveCause('paws-reject-in-handshake'), 'ok'],
    ['another cause', (e) => e.trace(rst).toHaveCause('no-listener'), 'failed'],
    ['seen', (e) => e.trace(rst).toBeSeen(), 'ok'],
    ['seen so often', (e) => e.trace(rst).toBeSeen(1), 'ok'],
    ['seen more often', (e) => e.trace(rst).toBeSeen(2), 'failed'],
    ['not seen', (e) => e.trace({ flags: 'SA' }).toNotBeSeen(), 'ok'],
    ['not seen, and it is', (e) => e.trace(syn).toNotBeSeen(), 'failed'],
  ])('%s', (_, say, expected) => {
    check(status(say)).toBe(expected);
  });

  it('is another on another kernel', () => {
    const say = (e: Expect) =>
      e.trace(rst).toBeDroppedAt('tcp_v4_rcv', byKernel({ '<6.15': 'NOT_SPECIFIED', else: 'TCP_RFC7323_PAWS' }));
    check(status(say)).toBe('ok');
    check(judged(say, observation({ version: [6, 12] }))).toMatchObject({
      status: 'failed',
      text: 'tcp R is dropped at tcp_v4_rcv for NOT_SPECIFIED',
      seen: 'tcp R 172.26.137.131:54321 -> 172.26.137.130:8000: freed in tcp_v4_rcv.constprop.0+0x65 (TCP_RFC7323_PAWS)',
      traces: ['a1'],
    });
  });

  it('says what is there where there is no such packet', () => {
    const { seen } = judged((e) => e.trace({ flags: 'FA', dport: 1 }).toPass('ip_rcv'));
    check(seen).toMatch(/^no such packet; there are tcp R .*; tcp S 10\.0\.0\.1:40000 -> 10\.0\.0\.2:80: rejected$/);
  });

  it.each<[string, object, string[]]>([
    ['flags in any order', { flags: 'AS' }, []],
    ['addresses', { saddr: '10.0.0.1', daddr: '10.0.0.2' }, ['b2']],
    ['ports', { sport: 54321 }, ['a1']],
    ['a timestamp', { tsval: 0 }, ['a1']],
    ['no timestamp', { tsval: null }, ['b2']],
    ['anything', { where: { text: 'x', test: ({ id }: SkbTrace) => id === 'b2' } }, ['b2']],
  ])('is looked for by %s', (_, query, ids) => {
    check(judged((e) => e.trace(query).toBeSeen()).traces ?? []).toEqual(ids);
  });
});

describe('what cannot be seen', () => {
  const WHY = 'not visible with tracepoints alone';
  const tracepoints = observation({
    noFunctions: WHY,
    invisible: (name) => (name.startsWith('tcp_v4') || name === 'tcp_check_req' ? WHY : undefined),
    standIns: (name) => (name === 'tcp_v4_send_reset' ? ['tcp_send_reset'] : []),
  });

  it.each<[string, (expect: Expect) => void, string]>([
    ['a function', (e) => e.trace(rst).toPass('tcp_check_req'), 'not-visible'],
    ['that it is not passed', (e) => e.trace(syn).toNotPass('tcp_check_req'), 'not-visible'],
    ['a function, where a tracepoint stands in', (e) => e.trace(syn).toPass('tcp_v4_send_reset'), 'ok'],
    ['that one is not passed', (e) => e.trace(syn).toNotPass('tcp_v4_send_reset'), 'failed'],
    ['and where it does not say so', (e) => e.trace(rst).toPass('tcp_v4_send_reset'), 'failed'],
    ['what a stand-in does not know', (e) => e.trace(syn).toPass('tcp_v4_send_reset', { ret: 0 }), 'not-visible'],
    ['what needs functions', (e) => e.trace(rst, { needs: 'functions' }).toHaveOutcome('sent'), 'not-visible'],
    ['drops can be seen', (e) => e.trace(rst).toBeDroppedAt('tcp_v4_rcv'), 'ok'],
  ])('is neither ok nor failed: %s', (_, say, expected) => {
    check(status(say, tracepoints)).toBe(expected);
  });
});

describe('what is expected of sockets, counters and values', () => {
  it.each<[string, (expect: Expect) => void, string]>([
    ['a state', (e) => e.socket('ESTABLISHED').toRemain(), 'ok'],
    ['so many', (e) => e.socket('ESTABLISHED').toRemain(2), 'failed'],
    ['on a host', (e) => e.socket({ state: 'ESTABLISHED', on: 'client' }).toRemain(), 'failed'],
    ['with a peer', (e) => e.socket({ peerPort: 41000, localPort: 8000, stray: true }).toRemain(1), 'ok'],
    ['none', (e) => e.socket('TIME_WAIT').toNotRemain(), 'ok'],
    ['none, and there is one', (e) => e.socket({ proto: 'tcp' }).toNotRemain(), 'failed'],
    ['a counter', (e) => e.counter('PAWSEstab').toRise(3), 'ok'],
    ['by another number', (e) => e.counter('PAWSEstab').toRise(2), 'failed'],
    ['by anything', (e) => e.counter('PAWSEstab').toRise(), 'ok'],
    ['by that or more', (e) => e.counter('PAWSEstab').toRiseAtLeast(4), 'failed'],
    ['of a host', (e) => e.counter('PAWSEstab', { on: 'client' }).toStay(), 'ok'],
    ['that stays', (e) => e.counter('PAWSEstab').toStay(), 'failed'],
    ['that the kernel does not have', (e) => e.counter('NoSuch').toStay(), 'failed'],
    ['a value', (e) => e.value('it', { a: [1] }).toBe({ a: [1] }), 'ok'],
    ['another value', (e) => e.value('it', 1).toBe('1'), 'failed'],
    ['a value by kernel', (e) => e.value('it', 1).toBe(byKernel({ '<6.0': 2, else: 1 })), 'ok'],
  ])('%s', (_, say, expected) => {
    check(status(say)).toBe(expected);
  });
});

describe('what nothing could ever be as is refused when it is said', () => {
  it.each<[string, (expect: Expect) => void, RegExp]>([
    ['a field of packets', (e) => e.trace({ dportt: 80 } as object), /query for packets has no field 'dportt'/],
    ['a protocol', (e) => e.trace({ proto: 'tpc' as 'tcp' }), /there is no protocol 'tpc'/],
    ['an address', (e) => e.trace({ saddr: '10.0.0.256' }), /saddr is an IP address, not '10.0.0.256'/],
    ['a port', (e) => e.trace({ dport: '80' as unknown as number }), /dport is a whole number, not '80'/],
    ['flags', (e) => e.trace({ flags: 'SYN' }), /TCP flags are letters/],
    ['an option', (e) => e.trace({}, { need: 'functions' } as object), /has no field 'need'/],
    ['a function', (e) => e.trace(rst).toPass('tcp_check_rq'), /'tcp_check_rq' is not among what is traced/],
    ['a function not to be passed', (e) => e.trace(rst).toNotPass('tcp_check_rq'), /not among what is traced/],
    ['a field of events', (e) => e.trace(rst).toPass('tcp_check_req', { soket: {} } as object), /no field 'soket'/],
    [
      'a field in a field of events',
      (e) => e.trace(rst).toPass('tcp_check_req', { socket: { tsRecend: 1 } as object }),
      /event's socket has no field 'tsRecend'/,
    ],
    ['an outcome', (e) => e.trace(rst).toHaveOutcome('droped' as 'dropped'), /there is no outcome 'droped'/],
    [
      'a cause of some kernels',
      (e) => e.trace(rst).toHaveCause(byKernel({ '<6.1': 'paws', else: 'x' })),
      /no cause 'paws'/,
    ],
    ['a field of connections', (e) => e.connection({ port: 1 } as object), /query for connections has no field 'port'/],
    ['a client', (e) => e.connection({ client: 'localhost' }), /client is an IP address, not 'localhost'/],
    ['the cause of a connection', (e) => e.connection({}).toHaveCause('open'), /no cause of a connection 'open'/],
    [
      'the outcome of a connection',
      (e) => e.connection({}).toHaveOutcome('opened' as 'open'),
      /no outcome of a connection/,
    ],
    ['a state', (e) => e.socket('ESTABLISHD'), /there is no state of sockets 'ESTABLISHD'/],
    ['a field of sockets', (e) => e.socket({ port: 80 } as object), /query for sockets has no field 'port'/],
    ['a host of sockets', (e) => e.socket({ on: 'sever' }), /there is no host 'sever'/],
    ['a host of counters', (e) => e.counter('PAWSEstab', { on: 'sever' }), /there is no host 'sever'/],
  ])('%s', (_, say, message) => {
    check(() => say(new Expect(observation()))).toThrow(message);
  });
});

describe('what a check of one’s own gives', () => {
  it.each<[string, (expect: Expect) => void, RegExp]>([
    [
      'nothing',
      (e) => e.that('it holds', (() => undefined) as never),
      /^the check gave undefined, and not \{ ok, seen \}/,
    ],
    [
      'a promise',
      (e) => e.that('it holds', (async () => ({ ok: true, seen: '' })) as never),
      /^the check gave a promise/,
    ],
    ['half of it', (e) => e.that('it holds', (() => ({ ok: true })) as never), /^the check gave \{ ok: true \}/],
    ['an error', (e) => e.that('it holds', () => JSON.parse('{')), /^the check has thrown: .*JSON/],
    [
      'a promise as a test',
      (e) => e.trace(rst).toSatisfy('x', (async () => true) as never),
      /the test 'x' gave a promise/,
    ],
    [
      'nothing as a test',
      (e) => e.trace({ where: { text: 'x', test: (() => undefined) as never } }).toBeSeen(),
      /the test 'x' gave undefined, not true or false/,
    ],
  ])('fails, and says so, where it is %s', (_, say, seen) => {
    check(judged(say)).toMatchObject({ status: 'failed', seen: check.stringMatching(seen) });
  });
});
