import { describe, expect, it, type TestContext } from 'vitest';
import { EventBuilder } from '../../../src/explain/event-builder.js';
import { TraceBuilder } from '../../../src/explain/trace-builder.js';
import { EventKind, SockTimer } from '../../../src/generated/layout.js';
import type { Mode } from '../../../src/modes.js';
import type { LatencyEvent, PacketEvent, SocketEvent } from '../../../src/types.js';
import { kernelWithSymbols } from '../../support/real-kernel.js';
import { ETH_P_IP, eventOf, type RecordInput, type SockInput, TcpFlag, tcpPacket } from '../../support/records.js';
import { attached, probeNamed } from '../../support/traces.js';

const NAMES = [
  'ip_rcv',
  'tcp_v4_rcv',
  'kfree_skb',
  'inet_listen',
  'tcp_ack_update_rtt',
  'inet_sock_set_state',
  'tcp_retransmit_timer',
  'net_dev_xmit_timeout',
] as const;
const id = (name: (typeof NAMES)[number]) => NAMES.indexOf(name);
const SKB = 0xffff888000980300n;
const TCP_V4_RCV = 0xffffffff81a00000n;
const SYMBOLS = [
  'ffffffff81a00000 T tcp_v4_rcv',
  'ffffffff81a10000 T ip_local_deliver',
  'ffffffff81a20000 T arch_rethook_trampoline',
  'ffffffff81a30000 T the_end',
];
const SOCKET_TUPLE = { saddr: '172.26.137.131', sport: 54321, daddr: '172.26.137.130', dport: 8000 };

function build(ctx: TestContext, mode: Mode, input: RecordInput): PacketEvent | SocketEvent | LatencyEvent {
  const kernel = kernelWithSymbols(ctx, SYMBOLS);
  const outcomes = NAMES.map((name, i) => attached(probeNamed(name), i, 'int'));
  const traces = new TraceBuilder(kernel, outcomes, false);
  return new EventBuilder({ kernel, outcomes, traces, mode, hz: 250 }).build(eventOf(input));
}

/** TCP states of include/net/tcp_states.h. */
const State = { ESTABLISHED: 1, SYN_SENT: 2, CLOSE: 7, LISTEN: 10 } as const;

function socketOf(
  ctx: TestContext,
  mode: Mode,
  probe: (typeof NAMES)[number],
  sock: SockInput,
  more: RecordInput = {},
) {
  const event = build(ctx, mode, { time: 1_500_000_000, probe: id(probe), packet: tcpPacket(), sock, ...more });
  if (event.type !== 'socket') throw new Error(`it became a ${event.type} event`);
  return event;
}

describe('an event of a packet by itself', () => {
  it('has the packet, the address of its skb, and one event', (ctx) => {
    const event = build(ctx, 'basic', {
      time: 57_866_889_000,
      skb: SKB,
      cpu: 3,
      probe: id('ip_rcv'),
      packet: tcpPacket({ tcpFlags: TcpFlag.S }),
      meta: {
        ifname: 'eth0',
        ifindex: 2,
        netns: 4026531840,
        pid: 0,
        comm: 'swapper/3',
        ownerPid: 7,
        ownerComm: 'nginx',
      },
    });
    expect(event).toMatchObject({
      v: 1,
      type: 'packet',
      mode: 'basic',
      skbAddress: 'ffff888000980300',
      proto: 'tcp',
      tuple: SOCKET_TUPLE,
      event: {
        t: 57.866889,
        skb: 0,
        func: 'ip_rcv',
        stage: 'ip-in',
        cpu: 3,
        ifname: 'eth0',
        netns: 4026531840,
        owner: { pid: 7, comm: 'nginx' },
        tcp: { flags: 'S' },
        notes: [],
      },
    });
  });

  it('says which mode it is of', (ctx) => {
    for (const mode of ['basic', 'drop', 'monitor'] as const)
      expect(build(ctx, mode, { skb: SKB, packet: tcpPacket() })).toMatchObject({ type: 'packet', mode });
  });

  it('that is a drop has where and why', (ctx) => {
    const event = build(ctx, 'drop', {
      skb: SKB,
      kind: EventKind.drop,
      probe: id('kfree_skb'),
      packet: tcpPacket({ tcpFlags: TcpFlag.S }),
      drop: { location: TCP_V4_RCV + 0x9an },
    });
    expect(event).toMatchObject({
      event: {
        drop: { location: 'tcp_v4_rcv+0x9a' },
        notes: [
          { level: 'error', text: 'tcp_v4_rcv+0x9a' },
          { level: 'error', text: 'packet is dropped by kernel' },
        ],
      },
    });
  });

  it('without readable headers has no addresses, and one without an skb no address of one', (ctx) => {
    const unreadable = build(ctx, 'basic', { skb: SKB, packet: {} });
    expect(unreadable).toMatchObject({ proto: 'unknown', skbAddress: 'ffff888000980300' });
    expect(unreadable).not.toHaveProperty('tuple');
    const device = build(ctx, 'monitor', { probe: id('net_dev_xmit_timeout'), packet: {}, meta: { ifname: 'eth0' } });
    expect(device).toMatchObject({ type: 'packet', mode: 'monitor', event: { ifname: 'eth0' } });
    expect(device).not.toHaveProperty('skbAddress');
    expect(device).not.toHaveProperty('tuple');
  });

  it('has the call stack, without the frames of the tracer itself', (ctx) => {
    const stack = [0xffffffff81a20010n, TCP_V4_RCV + 5n, 0xffffffff81a10068n];
    expect(build(ctx, 'basic', { skb: SKB, packet: tcpPacket(), stack })).toMatchObject({
      event: {
        stack: [
          { address: 'ffffffff81a00005', symbol: 'tcp_v4_rcv+0x5' },
          { address: 'ffffffff81a10068', symbol: 'ip_local_deliver+0x68' },
        ],
      },
    });
  });

  it('at a listening socket has its queue, and says where that is full', (ctx) => {
    const at = (acceptQueue: number) =>
      build(ctx, 'monitor', {
        skb: SKB,
        packet: tcpPacket(),
        sock: { state: State.LISTEN, acceptQueue, acceptLimit: 128, isTcp: true },
      });
    expect(at(128)).toMatchObject({
      type: 'packet',
      event: { socket: { state: 'LISTEN', acceptQueue: 128, acceptLimit: 128 }, notes: [] },
    });
    expect(at(129)).toMatchObject({
      event: { notes: [{ level: 'error', text: 'accept queue is full: 129 of 128' }] },
    });
  });
});

describe('a free that is not shown', () => {
  it('counts in the verdict nevertheless', (ctx) => {
    const kernel = kernelWithSymbols(ctx, SYMBOLS);
    const outcomes = [attached(probeNamed('ip_rcv'), 0), attached({ ...probeNamed('kfree_skb'), hidden: true }, 1)];
    const packet = tcpPacket({ tcpFlags: TcpFlag.S });
    const drop = { location: TCP_V4_RCV + 0x9an };
    const trace = new TraceBuilder(kernel, outcomes, false).build({
      id: 1n,
      skbs: [SKB],
      events: [
        { raw: eventOf({ time: 1000, skb: SKB, packet }), skb: 0, returned: undefined },
        {
          raw: eventOf({ time: 9000, skb: SKB, packet, probe: 1, kind: EventKind.drop, drop }),
          skb: 0,
          returned: undefined,
        },
      ],
      complete: true,
      closed: 'freed',
    });
    expect(trace.events.map((e) => e.func)).toEqual(['ip_rcv']);
    expect(trace.verdict).toMatchObject({ outcome: 'dropped', cause: 'drop-not-specified' });
  });
});

describe('an event of a latency', () => {
  it('names both functions and the time between them, in microseconds', (ctx) => {
    const event = build(ctx, 'latency', {
      skb: SKB,
      probe: id('kfree_skb'),
      packet: tcpPacket(),
      latency: { from: 1_000_000_000, to: 1_007_420_500, fromProbe: id('ip_rcv'), toProbe: id('tcp_v4_rcv') },
    });
    expect(event).toMatchObject({
      v: 1,
      type: 'latency',
      skbAddress: 'ffff888000980300',
      proto: 'tcp',
      tuple: SOCKET_TUPLE,
      from: 'ip_rcv',
      to: 'tcp_v4_rcv',
      latencyUs: 7420.5,
    });
  });

  it('without readable headers has no addresses', (ctx) => {
    const event = build(ctx, 'latency', { skb: SKB, packet: {}, latency: { from: 1, to: 2 } });
    expect(event).toMatchObject({ type: 'latency', proto: 'unknown' });
    expect(event).not.toHaveProperty('tuple');
  });
});

describe('an event of a socket', () => {
  it('has what TCP is doing', (ctx) => {
    const event = socketOf(ctx, 'sock', 'tcp_retransmit_timer', {
      isTcp: true,
      state: State.SYN_SENT,
      caState: 4,
      packetsOut: 1,
      retransOut: 2,
      unacked: 4126098466,
      wmem: 3,
      rmem: 4,
      timer: SockTimer.retrans,
      timerLeft: 249,
    });
    expect(event).toMatchObject({
      v: 1,
      type: 'socket',
      mode: 'sock',
      t: 1.5,
      func: 'tcp_retransmit_timer',
      stage: 'tcp-retrans',
      proto: 'tcp',
      tuple: SOCKET_TUPLE,
      notes: [{ level: 'warning', text: 'TCP retransmission timer out' }],
    });
    expect(event.socket).toEqual({
      state: 'SYN_SENT',
      caState: 'CA_Loss',
      packetsOut: 1,
      retransOut: 2,
      unacked: 4126098466,
      wmem: 3,
      rmem: 4,
      timer: { kind: 'retrans', left: 0.996 },
    });
    expect(event).not.toHaveProperty('rtt');
    expect(event).not.toHaveProperty('owner');
  });

  it('of UDP has no congestion, and no timer', (ctx) => {
    const packet = tcpPacket({ l4Proto: 17 });
    const event = socketOf(
      ctx,
      'sock',
      'inet_listen',
      { state: State.CLOSE, caState: 1, wmem: 5, rmem: 6 },
      { packet },
    );
    expect(event.proto).toBe('udp');
    expect(event.socket).toEqual({ state: 'CLOSE', wmem: 5, rmem: 6 });
  });

  it('of a protocol without ports has none', (ctx) => {
    const packet = { saddr: [10, 0, 0, 1], daddr: [10, 0, 0, 2], l3Proto: ETH_P_IP, l4Proto: 1 };
    const event = socketOf(ctx, 'sock', 'inet_listen', { state: State.CLOSE }, { packet });
    expect(event.proto).toBe('icmp');
    expect(event.tuple).toEqual({ saddr: '10.0.0.1', daddr: '10.0.0.2' });
  });

  it('that listens has its queue, and one that does not has none', (ctx) => {
    const sock = { isTcp: true, acceptQueue: 2, acceptLimit: 128 };
    expect(socketOf(ctx, 'sock', 'inet_listen', { ...sock, state: State.LISTEN }).socket).toMatchObject({
      state: 'LISTEN',
      acceptQueue: 2,
      acceptLimit: 128,
    });
    const { socket } = socketOf(ctx, 'sock', 'inet_listen', { ...sock, state: State.ESTABLISHED });
    expect(socket).not.toHaveProperty('acceptQueue');
    expect(socket).not.toHaveProperty('acceptLimit');
  });

  it('says that the state changes, and to which', (ctx) => {
    const change = (state: number, newState: number) =>
      socketOf(ctx, 'sock', 'inet_sock_set_state', { state, newState, isTcp: true }).notes.map((n) => n.text);
    expect(change(State.CLOSE, State.SYN_SENT)).toEqual(['TCP socket state has changed: CLOSE -> SYN_SENT']);
    expect(change(State.LISTEN, State.LISTEN)).toEqual([]);
    expect(change(State.LISTEN, 0)).toEqual([]);
  });

  it('of a round-trip time has both times, as numbers and as the note that users know', (ctx) => {
    const sock = { isTcp: true, state: State.ESTABLISHED, srttUs: 8241, rttMinUs: 439 };
    const event = socketOf(ctx, 'rtt-detail', 'tcp_ack_update_rtt', sock);
    expect(event).toMatchObject({
      mode: 'rtt',
      rtt: { us: 8241, minUs: 439 },
      notes: [{ level: 'info', text: 'rtt:8.241ms, rtt_min:0.439ms' }],
    });
  });

  it('says which mode it is of', (ctx) => {
    for (const [mode, expected] of [
      ['sock', 'sock'],
      ['rtt-detail', 'rtt'],
      ['monitor', 'monitor'],
    ] as const)
      expect(socketOf(ctx, mode, 'inet_listen', { state: State.CLOSE }).mode).toBe(expected);
  });

  it('has netns, owner and call stack where they are known', (ctx) => {
    const meta = { netns: 4026531840, ownerPid: 42, ownerComm: 'nginx' };
    const stack = [TCP_V4_RCV + 5n];
    expect(socketOf(ctx, 'sock', 'inet_listen', { state: State.CLOSE }, { meta, stack })).toMatchObject({
      netns: 4026531840,
      owner: { pid: 42, comm: 'nginx' },
      stack: [{ address: 'ffffffff81a00005', symbol: 'tcp_v4_rcv+0x5' }],
    });
  });

  it('of states and timers that are not known shows their numbers, or none', (ctx) => {
    const { socket } = socketOf(ctx, 'sock', 'inet_listen', {
      isTcp: true,
      state: State.ESTABLISHED,
      caState: 9,
      timer: 99,
    });
    expect(socket).toMatchObject({ caState: '9' });
    expect(socket).not.toHaveProperty('timer');
  });
});
