import { describe, expect, it, type TestContext } from 'vitest';
import type { OpenTrace } from '../../../src/assemble/assembler.js';
import { protoOf, TraceBuilder } from '../../../src/explain/trace-builder.js';
import { ValueReader } from '../../../src/explain/values.js';
import { factsOf } from '../../../src/explain/verdict/kernel-facts.js';
import { EventFlag, EventKind } from '../../../src/generated/layout.js';
import type { Kernel } from '../../../src/load/kernel.js';
import type { SkbTrace } from '../../../src/types.js';
import { assembleOne } from '../../support/assembled.js';
import { kernelWithSymbols } from '../../support/real-kernel.js';
import {
  ETH_P_ARP,
  ETH_P_IP,
  ETH_P_IPV6,
  keptTrace,
  type RecordInput,
  recordOf,
  TcpFlag,
  tcpPacket,
} from '../../support/records.js';
import { attached, probeNamed } from '../../support/traces.js';

const NAMES = [
  'ip_rcv',
  'nf_hook_slow',
  'nft_do_chain',
  'tcp_v4_rcv',
  'tcp_v4_send_reset',
  'tcp_rcv_state_process',
  'skb_clone',
  'kfree_skb',
  'consume_skb',
  'dev_hard_start_xmit',
] as const;
const RETURN_TYPES: Partial<Record<(typeof NAMES)[number], string>> = {
  nft_do_chain: 'unsigned int',
  skb_clone: 'struct sk_buff *',
};
const id = (name: (typeof NAMES)[number]) => NAMES.indexOf(name);

const TCP_V4_RCV = 0xffffffff81a00000n;
const SYMBOLS = [
  'ffffffff81a00000 T tcp_v4_rcv',
  'ffffffff81a01000 T tcp_v4_do_rcv',
  'ffffffffc0001000 t nf_nat_fn\t[nf_nat]',
];

/** Records of one trace through assembler and builder. */
function build(ctx: TestContext, inputs: readonly RecordInput[], showReturns = false): SkbTrace {
  return buildWith(kernelWithSymbols(ctx, SYMBOLS), inputs, showReturns);
}

function buildWith(
  kernel: Kernel,
  inputs: readonly RecordInput[],
  showReturns = false,
  values?: ValueReader,
): SkbTrace {
  const traces: OpenTrace[] = [];
  assembleOne(inputs, (trace) => traces.push(keptTrace(trace)));
  const outcomes = NAMES.map((name, i) => attached(probeNamed(name), i, RETURN_TYPES[name] ?? 'int'));
  return new TraceBuilder(kernel, outcomes, showReturns, values).build(traces[0]!);
}

const visit = (name: (typeof NAMES)[number], more: RecordInput = {}): RecordInput => ({
  probe: id(name),
  packet: tcpPacket(),
  ...more,
});
const notes = (trace: SkbTrace) => trace.events.map((e) => e.notes.map((n) => n.text));

describe('a built trace', () => {
  it('has ids, addresses, times and the tuple of its first packet', (ctx) => {
    const before = Date.now();
    const trace = build(ctx, [
      visit('ip_rcv'),
      visit('tcp_v4_rcv'),
      { probe: id('consume_skb'), kind: EventKind.free },
    ]);
    expect(trace).toMatchObject({
      v: 1,
      id: '2a',
      skbs: ['ffff888012345600'],
      proto: 'tcp',
      tuple: { saddr: '172.26.137.131', sport: 54321, daddr: '172.26.137.130', dport: 8000 },
      start: 1,
      durationUs: 20,
      complete: true,
      closed: 'freed',
    });
    expect(trace.events.map((e) => [e.t, e.func, e.stage])).toEqual([
      [1, 'ip_rcv', 'ip-in'],
      [1.00001, 'tcp_v4_rcv', 'tcp-in'],
      [1.00002, 'consume_skb', 'life'],
    ]);
    // one second after the machine's start, by the wall clock
    const bootedAt = before - Number(process.hrtime.bigint()) / 1e6;
    expect(trace.date).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/);
    expect(Math.abs(Date.parse(trace.date) - (bootedAt + 1000))).toBeLessThan(1000);
  });

  it('repeats addresses at an event only where they differ', (ctx) => {
    const trace = build(ctx, [visit('ip_rcv'), visit('tcp_v4_rcv', { packet: tcpPacket({ dport: 80 }) })]);
    expect(trace.events.map((e) => e.tuple?.dport)).toEqual([undefined, 80]);
  });

  it('has the first bytes of the packet where they were read', (ctx) => {
    const bytes = { bytes: Uint8Array.of(0x45, 0, 0xab), length: 1500, isCut: true };
    const { events } = build(ctx, [
      visit('ip_rcv', { bytes: { ...bytes, isEthernet: true } }),
      visit('tcp_v4_rcv', { bytes: { ...bytes, isCut: false } }),
      visit('tcp_v4_rcv', { bytes: { bytes: Uint8Array.of() } }),
      visit('tcp_rcv_state_process'),
    ]);
    expect(events.map((e) => e.bytes)).toEqual([
      { link: 'ethernet', hex: '4500ab', length: 1500, cut: true },
      { link: 'raw', hex: '4500ab', length: 1500 },
      undefined,
      undefined,
    ]);
  });

  it('has flags, options and numbers of TCP', (ctx) => {
    const options = [8, 10, 0, 0, 0, 7, 0, 0, 0, 9];
    const packet = tcpPacket({ tcpFlags: TcpFlag.S | TcpFlag.A, payload: 5, pktLen: 65 });
    const { events } = build(ctx, [visit('tcp_v4_rcv', { packet, options, skbLen: 25 })]);
    expect(events[0]?.tcp).toEqual({
      seq: 2754757913,
      ack: 1579697130,
      flags: 'SA',
      win: 8192,
      payload: 5,
      tsval: 7,
      tsecr: 9,
    });
    expect(events[0]).toMatchObject({ len: 25, pktLen: 65 });
  });

  it('shows who was there', (ctx) => {
    const meta = { ifname: 'eth0', ifindex: 2, netns: 4026531840, pid: 42, comm: 'ngïnx', mark: 7 };
    const { events } = build(ctx, [visit('ip_rcv', { meta, cpu: 3 })]);
    expect(events[0]).toMatchObject({ ...meta, cpu: 3 });
  });

  it('shows no ports where the protocol has none', (ctx) => {
    const ping = { ...tcpPacket(), l4Proto: 1, icmpType: 8, sport: 77, dport: 3 };
    const trace = build(ctx, [visit('ip_rcv', { packet: ping })]);
    expect(trace.tuple).toEqual({ saddr: '172.26.137.131', daddr: '172.26.137.130' });
    expect(trace.events[0]?.icmp).toEqual({ type: 8, code: 0, id: 77, seq: 3 });
  });

  it('gives id and sequence to ICMP echoes alone', (ctx) => {
    const unreachable = { ...tcpPacket(), l4Proto: 1, icmpType: 3, icmpCode: 1 };
    expect(build(ctx, [visit('ip_rcv', { packet: unreachable })]).events[0]?.icmp).toEqual({ type: 3, code: 1 });
  });

  it('tells a protocol without a form of its own by its number', (ctx) => {
    const trace = build(ctx, [visit('ip_rcv', { packet: { ...tcpPacket(), l4Proto: 132 } })]);
    expect(trace).toMatchObject({ proto: 'ip', events: [{ ipProtocol: 132 }] });
    expect(trace.events[0]?.tcp).toBeUndefined();
  });

  it('tells ARP by its operation', (ctx) => {
    const trace = build(ctx, [
      visit('ip_rcv', { packet: { ...tcpPacket(), l3Proto: ETH_P_ARP, l4Proto: 0, arpOp: 1 } }),
    ]);
    expect(trace.proto).toBe('arp');
    expect(trace.events[0]?.arpOp).toBe(1);
  });

  it('takes the packet of the lines before where the headers are not readable', (ctx) => {
    const trace = build(ctx, [
      visit('ip_rcv'),
      { probe: id('kfree_skb'), kind: EventKind.drop, drop: { location: TCP_V4_RCV } },
    ]);
    expect(trace.events[1]?.tcp?.seq).toBe(2754757913);
  });

  it('knows nothing of a packet whose headers were never readable', (ctx) => {
    const trace = build(ctx, [visit('ip_rcv', { packet: {} })]);
    expect(trace.proto).toBe('unknown');
    expect(trace.tuple).toBeUndefined();
    expect(trace.events[0]?.tcp).toBeUndefined();
  });
});

describe('a clone in a built trace', () => {
  it('names its parent and has its packet', (ctx) => {
    const parent = 0xffff888012345600n;
    const clone = 0xffff888012345700n;
    const trace = build(ctx, [
      visit('ip_rcv'),
      { probe: id('skb_clone'), kind: EventKind.derived, skb: clone, related: parent },
      { probe: id('kfree_skb'), kind: EventKind.drop, skb: clone, drop: { location: TCP_V4_RCV } },
    ]);
    expect(trace.skbs).toEqual(['ffff888012345600', 'ffff888012345700']);
    expect(trace.events.map((e) => [e.skb, e.parent])).toEqual([
      [0, undefined],
      [1, 0],
      [1, undefined],
    ]);
    expect(trace.events[2]?.tcp?.seq).toBe(2754757913);
  });

  it('whose parent was lost has an index that is one', (ctx) => {
    const trace = build(ctx, [{ probe: id('skb_clone'), kind: EventKind.derived, skb: 1, related: 2, flags: 0 }]);
    for (const event of trace.events) if (event.parent !== undefined) expect(trace.skbs[event.parent]).toBeDefined();
  });
});

describe('a rewritten packet', () => {
  it('says what it was and what it is now, once', (ctx) => {
    const after = tcpPacket({ daddr: [10, 0, 0, 9], dport: 80 });
    const trace = build(ctx, [
      visit('ip_rcv'),
      visit('nf_hook_slow', { packet: after }),
      visit('tcp_v4_rcv', { packet: after }),
    ]);
    const text =
      'packet is rewritten (NAT): 172.26.137.131 port 54321 -> 172.26.137.130 port 8000 is now 172.26.137.131 port 54321 -> 10.0.0.9 port 80';
    expect(notes(trace)).toEqual([[], [text], []]);
    expect(trace.tuple?.daddr).toBe('172.26.137.130');
    expect(trace.events[1]?.tuple?.daddr).toBe('10.0.0.9');
  });

  it('into a tunnel is told by its new headers', (ctx) => {
    const outer = {
      ...tcpPacket({ saddr: [10, 1, 0, 1], daddr: [10, 1, 0, 2], sport: 55555, dport: 4789 }),
      l4Proto: 17,
    };
    const trace = build(ctx, [visit('ip_rcv'), visit('ip_rcv', { packet: outer })]);
    expect(notes(trace)[1]).toEqual(['headers changed from tcp to udp: 10.1.0.1 port 55555 -> 10.1.0.2 port 4789']);
    expect(trace.events[1]?.proto).toBe('udp');
  });

  it("is none where addresses were the socket's", (ctx) => {
    const fromSocket = visit('ip_rcv', { packet: tcpPacket({ dport: 1 }), flags: EventFlag.fromSocket });
    const trace = build(ctx, [visit('ip_rcv'), fromSocket]);
    expect(notes(trace)).toEqual([[], []]);
    expect(trace.events[1]?.fromSocket).toBe(true);
  });

  it('is none between a packet and its clone of the same addresses', (ctx) => {
    const trace = build(ctx, [
      visit('ip_rcv'),
      { probe: id('skb_clone'), kind: EventKind.derived, skb: 1, related: 0xffff888012345600n },
      visit('ip_rcv', { skb: 1 }),
    ]);
    expect(notes(trace).flat()).toEqual([]);
  });
});

describe('notes of a built trace', () => {
  it("name a drop by this kernel's symbols, and by its reason", (ctx) => {
    const kernel = kernelWithSymbols(ctx, SYMBOLS);
    const reason = kernel.btf.enumValues('skb_drop_reason')?.get('SKB_DROP_REASON_NO_SOCKET');
    const trace = buildWith(kernel, [
      visit('tcp_v4_rcv', { packet: tcpPacket({ tcpFlags: TcpFlag.S }) }),
      { probe: id('kfree_skb'), kind: EventKind.drop, drop: { location: TCP_V4_RCV + 0x65n, reason } },
    ]);
    const because = reason === undefined ? '' : 'reason: NO_SOCKET, ';
    expect(notes(trace)[1]).toEqual([`${because}tcp_v4_rcv+0x65`, 'packet is dropped by kernel']);
    expect(trace.events[1]?.drop).toEqual({
      location: 'tcp_v4_rcv+0x65',
      ...(reason === undefined ? {} : { reason: 'NO_SOCKET' }),
    });
    const { outcome, cause } = trace.verdict;
    if (reason !== undefined) expect({ outcome, cause }).toEqual({ outcome: 'dropped', cause: 'no-listener' });
  });

  it('say why a free is no loss, and then there is nothing to warn of', (ctx) => {
    const kernel = kernelWithSymbols(ctx, SYMBOLS);
    const reason = kernel.btf.enumValues('skb_drop_reason')?.get('SKB_DROP_REASON_NOT_SPECIFIED');
    const trace = buildWith(kernel, [
      visit('tcp_v4_rcv'),
      { probe: id('kfree_skb'), kind: EventKind.drop, drop: { location: TCP_V4_RCV + 0x65n, reason } },
    ]);
    const [event] = trace.events.slice(-1);
    expect(event?.drop?.noLoss).toMatch(/^the RST ended/);
    expect(event?.notes.map((n) => n.level)).toEqual(['info', 'info', 'info']);
    expect(event?.notes.at(-1)?.text).toBe(`no loss: ${event?.drop?.noLoss}`);
    // only where the kernel would name a refusal it is known that there was none
    const { namesRequestRefusals } = factsOf(kernel, []);
    expect(trace.verdict).toMatchObject(
      namesRequestRefusals
        ? { outcome: 'worked', cause: 'rst-did-its-work' }
        : { outcome: 'unknown', cause: 'rst-undecided' },
    );
  });

  it('carry the values that their advice is about', (ctx) => {
    const kernel = kernelWithSymbols(ctx, SYMBOLS);
    const reason = kernel.btf.enumValues('skb_drop_reason')?.get('SKB_DROP_REASON_UDP_CSUM');
    ctx.skip(reason === undefined, 'this kernel has no drop reasons');
    const files = { read: () => 'Udp: InCsumErrors\nUdp: 7\n', readInitial: () => undefined, pathTo: () => undefined };
    const drop = { location: TCP_V4_RCV, reason };
    const meta = { ifname: 'eth0', ifindex: 2, netns: 4026531840 };
    const trace = buildWith(
      kernel,
      [visit('ip_rcv'), { probe: id('kfree_skb'), kind: EventKind.drop, drop, meta }],
      false,
      new ValueReader(files),
    );
    expect(trace.events[1]?.notes[1]?.values).toEqual([{ name: 'UdpInCsumErrors', value: '7' }]);
    expect(trace.verdict.advice[0]).toMatch(/; UdpInCsumErrors is 7$/);
  });

  it("name the hook, and the verdict by the function's return", (ctx) => {
    const nfhook = visit('nf_hook_slow', { time: 5000, netfilter: { family: 2, hook: 0, hasState: true } });
    const trace = build(ctx, [nfhook, { probe: id('nf_hook_slow'), kind: EventKind.return, related: 5000, ret: -1 }]);
    expect(notes(trace)).toEqual([['ipv4 in chain: PRE_ROUTING', 'packet is dropped by netfilter (NF_DROP)']]);
    expect(trace.events[0]?.ret).toBe(-1);
  });

  it('tell the state of the socket before and after, as its return saw it', (ctx) => {
    const before = visit('tcp_rcv_state_process', { time: 5000, socket: { state: 3 } });
    const after = {
      probe: id('tcp_rcv_state_process'),
      kind: EventKind.return,
      related: 5000,
      ret: 0,
      socket: { state: 3, newState: 1 },
    };
    const trace = build(ctx, [before, after]);
    expect(notes(trace)).toEqual([['TCP socket state has changed: SYN_RECV -> ESTABLISHED']]);
    expect(trace.events[0]?.socket).toEqual({ state: 'SYN_RECV', newState: 'ESTABLISHED' });
  });

  it('tell a reset with its state first', (ctx) => {
    const trace = build(ctx, [visit('tcp_v4_send_reset', { packet: { tcpFlags: 0x02 }, socket: { state: 0 } })]);
    expect(notes(trace)).toEqual([['state: no socket', 'connection reset initiated by the TCP stack']]);
  });

  it('show the return of a function without rules only where it is asked for', (ctx) => {
    const inputs = [
      visit('ip_rcv', { time: 5000 }),
      { probe: id('ip_rcv'), kind: EventKind.return, related: 5000, ret: 1 },
    ];
    expect(build(ctx, inputs).events[0]?.ret).toBeUndefined();
    expect(build(ctx, inputs, true).events[0]?.ret).toBe(1);
  });

  it('write a pointer that a double cannot hold as text', (ctx) => {
    const inputs = [
      visit('skb_clone', { time: 5000 }),
      { probe: id('skb_clone'), kind: EventKind.return, related: 5000, ret: -0x7777_0000_0100n },
    ];
    expect(build(ctx, inputs, true).events[0]?.ret).toBe('0xffff8888ffffff00');
  });

  it('say of a probe that is not known that it is not', (ctx) => {
    const trace = build(ctx, [{ probe: 999, packet: tcpPacket() }]);
    expect(trace.events[0]).toMatchObject({ func: 'unknown', stage: 'other' });
  });
});

describe('the protocol of a packet', () => {
  const of = (l3Proto: number, l4Proto: number) => protoOf(recordOf({ packet: { l3Proto, l4Proto } }).packet!);

  it.each([
    ['tcp', ETH_P_IP, 6],
    ['tcp', ETH_P_IPV6, 6],
    ['udp', ETH_P_IP, 17],
    ['icmp', ETH_P_IP, 1],
    ['icmpv6', ETH_P_IPV6, 58],
    ['arp', ETH_P_ARP, 0],
    ['ip', ETH_P_IP, 47],
    ['ipv6', ETH_P_IPV6, 47],
    ['unknown', 0x88cc, 0],
    ['unknown', 0, 0],
  ] as const)('is %s for ethertype %i and protocol %i', (proto, l3, l4) => {
    expect(of(l3, l4)).toBe(proto);
  });
});
