import type { OpenTrace } from '../../src/assemble/assembler.js';
import {
  KernelRecord,
  type RawBytes,
  type RawEvent,
  type RawPacket,
  type RawSock,
  type RawTcp,
  RecordDecoder,
} from '../../src/decode/records.js';
import {
  EventBytes,
  EventDrop,
  EventHead,
  EventHooks,
  EventLatency,
  EventMeta,
  EventNetfilter,
  EventOptions,
  EventPacket,
  EventReturn,
  EventSection,
  EventSock,
  EventSocket,
  EventStack,
  EventTcp,
} from '../../src/generated/layout.js';

/** The machines that write records are little-endian. */
const LITTLE = true;

/** Numbers of struct event_packet; addresses are bytes in network order: 4 for IPv4, 16 for IPv6. */
export interface PacketInput {
  saddr?: readonly number[];
  daddr?: readonly number[];
  l3Proto?: number;
  l4Proto?: number;
  tcpFlags?: number;
  sport?: number;
  dport?: number;
  seq?: number;
  ack?: number;
  window?: number;
  ipId?: number;
  icmpType?: number;
  icmpCode?: number;
  arpOp?: number;
  payload?: number;
  pktLen?: number;
}

export interface MetaInput {
  /** Text is written as UTF-8; bytes as they are. */
  ifname?: string | Uint8Array;
  comm?: string | Uint8Array;
  ifindex?: number;
  netns?: number;
  pid?: number;
  mark?: number;
  ownerComm?: string | Uint8Array;
  ownerPid?: number;
}

export interface NetfilterInput {
  family?: number;
  hook?: number;
  hasState?: boolean;
  table?: string;
  chain?: string;
  rule?: { handle: number; verdict: number } | undefined;
}

export interface SocketInput {
  state?: number;
  newState?: number;
  resetReason?: number | undefined;
  requestLeft?: boolean | undefined;
}

/** Numbers of struct event_sock. */
export type SockInput = Partial<Record<Exclude<keyof RawSock, 'isTcp'>, number>> & { isTcp?: boolean };

export interface LatencyInput {
  /** Nanoseconds. */
  from?: number | bigint;
  to?: number | bigint;
  fromProbe?: number;
  toProbe?: number;
}

/** What a record shall say; a section is there where its field is given, all other fields are 0. */
export interface RecordInput {
  /** Nanoseconds */
  time?: number | bigint;
  traceId?: number | bigint;
  skb?: number | bigint;
  related?: number | bigint;
  probe?: number;
  kind?: number;
  flags?: number;
  cpu?: number;
  skbLen?: number;
  packet?: PacketInput;
  meta?: MetaInput;
  /** Option bytes of the TCP header, at most 40. */
  options?: readonly number[] | Uint8Array;
  drop?: { location: bigint; reason?: number | undefined };
  netfilter?: NetfilterInput;
  socket?: SocketInput;
  ret?: number | bigint;
  sock?: SockInput;
  tcp?: Partial<RawTcp>;
  /** At most 32 addresses of a call stack, at most 16 of hook functions. */
  stack?: readonly bigint[];
  hooks?: readonly bigint[];
  latency?: LatencyInput;
  /** At most 128 bytes. */
  bytes?: Partial<RawBytes>;
}

const WRITERS: ReadonlyArray<
  [keyof RecordInput, bit: number, size: number, write: (view: DataView, input: RecordInput) => void]
> = [
  ['packet', EventSection.packet, EventPacket.size, (view, input) => writePacket(view, input.packet ?? {})],
  ['meta', EventSection.meta, EventMeta.size, (view, input) => writeMeta(view, input.meta ?? {})],
  ['options', EventSection.options, EventOptions.size, (view, input) => writeOptions(view, input.options ?? [])],
  ['drop', EventSection.drop, EventDrop.size, (view, input) => writeDrop(view, input.drop ?? { location: 0n })],
  [
    'netfilter',
    EventSection.netfilter,
    EventNetfilter.size,
    (view, input) => writeNetfilter(view, input.netfilter ?? {}),
  ],
  ['socket', EventSection.socket, EventSocket.size, (view, input) => writeSocket(view, input.socket ?? {})],
  [
    'ret',
    EventSection.return,
    EventReturn.size,
    (view, input) => view.setBigInt64(EventReturn.value, BigInt(input.ret ?? 0), LITTLE),
  ],
  ['sock', EventSection.sock, EventSock.size, (view, input) => writeSock(view, input.sock ?? {})],
  ['stack', EventSection.stack, EventStack.size, (view, input) => writeAddresses(view, EventStack, input.stack ?? [])],
  ['hooks', EventSection.hooks, EventHooks.size, (view, input) => writeAddresses(view, EventHooks, input.hooks ?? [])],
  ['latency', EventSection.latency, EventLatency.size, (view, input) => writeLatency(view, input.latency ?? {})],
  ['tcp', EventSection.tcp, EventTcp.size, (view, input) => writeTcp(view, input.tcp ?? {})],
  ['bytes', EventSection.bytes, EventBytes.size, (view, input) => writeBytes(view, input.bytes ?? {})],
];

function writeText(view: DataView, at: number, size: number, text: string | Uint8Array): void {
  const bytes = typeof text === 'string' ? new TextEncoder().encode(text) : text;
  for (const [i, byte] of bytes.subarray(0, size).entries()) view.setUint8(at + i, byte);
}

function writePacket(view: DataView, packet: PacketInput): void {
  for (const [i, byte] of (packet.saddr ?? []).entries()) view.setUint8(EventPacket.saddr + i, byte);
  for (const [i, byte] of (packet.daddr ?? []).entries()) view.setUint8(EventPacket.daddr + i, byte);
  view.setUint16(EventPacket.l3Proto, packet.l3Proto ?? 0, LITTLE);
  view.setUint8(EventPacket.l4Proto, packet.l4Proto ?? 0);
  view.setUint8(EventPacket.tcpFlags, packet.tcpFlags ?? 0);
  view.setUint16(EventPacket.sport, packet.sport ?? 0, LITTLE);
  view.setUint16(EventPacket.dport, packet.dport ?? 0, LITTLE);
  view.setUint32(EventPacket.seq, packet.seq ?? 0, LITTLE);
  view.setUint32(EventPacket.ack, packet.ack ?? 0, LITTLE);
  view.setUint16(EventPacket.window, packet.window ?? 0, LITTLE);
  view.setUint16(EventPacket.ipId, packet.ipId ?? 0, LITTLE);
  view.setUint8(EventPacket.icmpType, packet.icmpType ?? 0);
  view.setUint8(EventPacket.icmpCode, packet.icmpCode ?? 0);
  view.setUint16(EventPacket.arpOp, packet.arpOp ?? 0, LITTLE);
  view.setUint32(EventPacket.payload, packet.payload ?? 0, LITTLE);
  view.setUint32(EventPacket.pktLen, packet.pktLen ?? 0, LITTLE);
}

function writeMeta(view: DataView, meta: MetaInput): void {
  writeText(view, EventMeta.ifname, EventMeta.comm - EventMeta.ifname, meta.ifname ?? '');
  writeText(view, EventMeta.comm, EventMeta.ifindex - EventMeta.comm, meta.comm ?? '');
  view.setUint32(EventMeta.ifindex, meta.ifindex ?? 0, LITTLE);
  view.setUint32(EventMeta.netns, meta.netns ?? 0, LITTLE);
  view.setUint32(EventMeta.pid, meta.pid ?? 0, LITTLE);
  view.setUint32(EventMeta.mark, meta.mark ?? 0, LITTLE);
  writeText(view, EventMeta.ownerComm, EventMeta.ownerPid - EventMeta.ownerComm, meta.ownerComm ?? '');
  view.setUint32(EventMeta.ownerPid, meta.ownerPid ?? 0, LITTLE);
}

function writeOptions(view: DataView, options: readonly number[] | Uint8Array): void {
  for (const [i, byte] of options.entries()) view.setUint8(EventOptions.bytes + i, byte);
  view.setUint32(EventOptions.length, options.length, LITTLE);
}

function writeDrop(view: DataView, drop: { location: bigint; reason?: number | undefined }): void {
  view.setBigUint64(EventDrop.location, drop.location, LITTLE);
  view.setUint32(EventDrop.reason, drop.reason ?? 0, LITTLE);
  view.setUint32(EventDrop.hasReason, drop.reason === undefined ? 0 : 1, LITTLE);
}

function writeNetfilter(view: DataView, netfilter: NetfilterInput): void {
  view.setUint8(EventNetfilter.family, netfilter.family ?? 0);
  view.setUint8(EventNetfilter.hook, netfilter.hook ?? 0);
  view.setUint8(EventNetfilter.hasState, netfilter.hasState ? 1 : 0);
  view.setUint8(EventNetfilter.hasNames, netfilter.table || netfilter.chain ? 1 : 0);
  view.setInt32(EventNetfilter.verdict, netfilter.rule?.verdict ?? 0, LITTLE);
  view.setBigUint64(EventNetfilter.rule, BigInt(netfilter.rule?.handle ?? 0), LITTLE);
  writeText(view, EventNetfilter.table, EventNetfilter.chain - EventNetfilter.table, netfilter.table ?? '');
  writeText(view, EventNetfilter.chain, EventNetfilter.size - EventNetfilter.chain, netfilter.chain ?? '');
}

function writeSocket(view: DataView, socket: SocketInput): void {
  view.setUint32(EventSocket.state, socket.state ?? 0, LITTLE);
  view.setUint32(EventSocket.newState, socket.newState ?? 0, LITTLE);
  view.setUint32(EventSocket.resetReason, socket.resetReason ?? 0, LITTLE);
  view.setUint32(EventSocket.hasResetReason, socket.resetReason === undefined ? 0 : 1, LITTLE);
  view.setUint32(EventSocket.requestLeft, socket.requestLeft ? 1 : 0, LITTLE);
  view.setUint32(EventSocket.hasRequestLeft, socket.requestLeft === undefined ? 0 : 1, LITTLE);
}

function writeSock(view: DataView, sock: SockInput): void {
  for (const [name, value] of Object.entries(sock))
    view.setUint32(EventSock[name as keyof RawSock], Number(value), LITTLE);
}

function writeTcp(view: DataView, tcp: Partial<RawTcp>): void {
  for (const [name, value] of Object.entries(tcp)) view.setUint32(EventTcp[name as keyof RawTcp], value, LITTLE);
}

function writeAddresses(view: DataView, at: { count: number; address: number }, addresses: readonly bigint[]): void {
  view.setUint32(at.count, addresses.length, LITTLE);
  for (const [i, address] of addresses.entries()) view.setBigUint64(at.address + i * 8, address, LITTLE);
}

function writeBytes(view: DataView, { bytes = new Uint8Array(), length, isEthernet, isCut }: Partial<RawBytes>): void {
  for (const [i, byte] of bytes.entries()) view.setUint8(EventBytes.bytes + i, byte);
  view.setUint32(EventBytes.captured, bytes.length, LITTLE);
  view.setUint32(EventBytes.length, length ?? bytes.length, LITTLE);
  view.setUint32(EventBytes.isEthernet, Number(isEthernet ?? false), LITTLE);
  view.setUint32(EventBytes.isCut, Number(isCut ?? false), LITTLE);
}

function writeLatency(view: DataView, latency: LatencyInput): void {
  view.setBigUint64(EventLatency.fromNs, BigInt(latency.from ?? 0), LITTLE);
  view.setBigUint64(EventLatency.toNs, BigInt(latency.to ?? 0), LITTLE);
  view.setUint32(EventLatency.from, latency.fromProbe ?? 0, LITTLE);
  view.setUint32(EventLatency.to, latency.toProbe ?? 0, LITTLE);
}

/** One record, as the kernel side writes it. */
export function record(input: RecordInput = {}): Uint8Array {
  const there = WRITERS.filter(([name]) => input[name] !== undefined);
  const bytes = new Uint8Array(EventHead.size + there.reduce((sum, [, , size]) => sum + size, 0));
  const view = new DataView(bytes.buffer);
  view.setBigUint64(EventHead.timeNs, BigInt(input.time ?? 0), LITTLE);
  view.setBigUint64(EventHead.traceId, BigInt(input.traceId ?? 0), LITTLE);
  view.setBigUint64(EventHead.skb, BigInt(input.skb ?? 0), LITTLE);
  view.setBigUint64(EventHead.related, BigInt(input.related ?? 0), LITTLE);
  view.setUint16(EventHead.probe, input.probe ?? 0, LITTLE);
  view.setUint8(EventHead.kind, input.kind ?? 0);
  view.setUint8(EventHead.flags, input.flags ?? 0);
  view.setUint32(EventHead.cpu, input.cpu ?? 0, LITTLE);
  view.setUint32(EventHead.skbLen, input.skbLen ?? 0, LITTLE);
  let sections = 0;
  let at: number = EventHead.size;
  for (const [, bit, size, write] of there) {
    sections |= bit;
    write(new DataView(bytes.buffer, at, size), input);
    at += size;
  }
  view.setUint32(EventHead.sections, sections, LITTLE);
  return bytes;
}

/** Records as the ring buffer reader hands them over: length, zero, record, padded to 8 bytes. */
export function batch(records: readonly Uint8Array[]): ArrayBuffer {
  const padded = (length: number) => (length + 7) & ~7;
  const buffer = new ArrayBuffer(records.reduce((sum, r) => sum + 8 + padded(r.length), 0));
  const view = new DataView(buffer);
  let at = 0;
  for (const one of records) {
    view.setUint32(at, one.length, LITTLE);
    new Uint8Array(buffer, at + 8).set(one);
    at += 8 + padded(one.length);
  }
  return buffer;
}

function decodedPacket(packet: RawPacket): RawPacket {
  const { saddr, daddr, l3Proto, l4Proto, tcpFlags, sport, dport, seq, ack } = packet;
  const { window, ipId, icmpType, icmpCode, arpOp, payload, pktLen } = packet;
  const head = { saddr, daddr, l3Proto, l4Proto, tcpFlags, sport, dport, seq, ack };
  return { ...head, window, ipId, icmpType, icmpCode, arpOp, payload, pktLen };
}

/** All that a record says, decoded: it stays when the record is moved on. */
export function decoded(record: RawEvent): RawEvent {
  return {
    time: record.time,
    traceId: record.traceId,
    skb: record.skb,
    related: record.related,
    probe: record.probe,
    kind: record.kind,
    flags: record.flags,
    cpu: record.cpu,
    skbLen: record.skbLen,
    packet: record.packet && decodedPacket(record.packet),
    meta: record.meta,
    options: record.options?.slice(),
    drop: record.drop,
    netfilter: record.netfilter,
    socket: record.socket,
    ret: record.ret,
    sock: record.sock,
    tcp: record.tcp,
    latency: record.latency,
    stack: record.stack,
    hooks: record.hooks,
    bytes: record.bytes,
  };
}

/** What the decoder makes of a batch, and how many records it refused. */
export function decode(buffer: ArrayBuffer, probeCount = 16): { events: RawEvent[]; malformed: number } {
  const decoder = new RecordDecoder(probeCount);
  const events: RawEvent[] = [];
  decoder.decodeBatch(buffer, (event) => events.push(decoded(event)));
  return { events, malformed: decoder.malformed };
}

/** The event of one record, through the real decoder. */
export function eventOf(input: RecordInput, probeCount = 1024): RawEvent {
  const { events } = decode(batch([record(input)]), probeCount);
  const [event] = events;
  if (!event) throw new Error('the decoder refused the record');
  return event;
}

/** One record where it lies. */
export function recordOf(input: RecordInput): KernelRecord {
  return new KernelRecord(new DataView(record(input).buffer)).seek(0);
}

/** A trace that was handed on, with all that its records say. */
export function keptTrace(trace: OpenTrace): OpenTrace {
  const events = trace.events.map(({ raw, skb, returned }) => ({
    raw: decoded(raw),
    skb,
    returned: returned && decoded(returned),
  }));
  return { ...trace, events };
}

export const ETH_P_IP = 0x0800;
export const ETH_P_IPV6 = 0x86dd;
export const ETH_P_ARP = 0x0806;

/** Bits of byte 13 of a TCP header. */
export const TcpFlag = { F: 1, S: 2, R: 4, P: 8, A: 16, U: 32, E: 64, C: 128 } as const;

/** A TCP segment over IPv4 from 172.26.137.131:54321 to 172.26.137.130:8000. */
export function tcpPacket(more: PacketInput = {}): PacketInput {
  return {
    saddr: [172, 26, 137, 131],
    daddr: [172, 26, 137, 130],
    l3Proto: ETH_P_IP,
    l4Proto: 6,
    sport: 54321,
    dport: 8000,
    seq: 2754757913,
    ack: 1579697130,
    tcpFlags: TcpFlag.R,
    window: 8192,
    pktLen: 40,
    ...more,
  };
}
