import {
  EventBytes,
  EventDrop,
  EventHead,
  EventHooks,
  EventKind,
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
} from '../generated/layout.js';
import { addressText } from './addresses.js';
import { LITTLE } from './byte-order.js';
import { decodeSock, decodeTcp, type RawSock, type RawTcp } from './socket-sections.js';

export type { RawSock, RawTcp };

/** The packet section of a record; see struct event_packet in bpf/event.h. */
export interface RawPacket {
  saddr: string;
  daddr: string;
  /** Ethertype; 0 where the headers could not be read. */
  l3Proto: number;
  /** IPPROTO_*; 0 where there is none. */
  l4Proto: number;
  tcpFlags: number;
  sport: number;
  dport: number;
  seq: number;
  ack: number;
  window: number;
  ipId: number;
  icmpType: number;
  icmpCode: number;
  arpOp: number;
  payload: number;
  pktLen: number;
}

export interface RawMeta {
  ifname: string;
  comm: string;
  ifindex: number;
  netns: number;
  pid: number;
  mark: number;
  ownerComm: string;
  /** 0 where no owner is known. */
  ownerPid: number;
}

export interface RawNetfilter {
  family: number;
  hook: number;
  hasState: boolean;
  table: string;
  chain: string;
  /** Handle of the rule, and its verdict: NF_*, or one of enum nft_verdicts; undefined where none is told. */
  rule: { handle: number; verdict: number } | undefined;
}

export interface RawSocket {
  state: number;
  newState: number;
  resetReason: number | undefined;
  requestLeft: boolean | undefined;
}

export interface RawLatency {
  /** Nanoseconds. */
  from: number;
  to: number;
  /** Ids of probes. */
  fromProbe: number;
  toProbe: number;
}

/** Bytes of a packet; see struct event_bytes. */
export interface RawBytes {
  bytes: Uint8Array;
  length: number;
  isEthernet: boolean;
  isCut: boolean;
}

/** What a record says. */
export interface RawEvent {
  /** Nanoseconds of CLOCK_MONOTONIC, rounded to a double (equal inputs stay equal). */
  time: number;
  traceId: bigint;
  skb: bigint;
  related: bigint;
  probe: number;
  /** EventKind */
  kind: number;
  /** EventFlag bits */
  flags: number;
  cpu: number;
  /** 0 where it was not read. */
  skbLen: number;
  packet: RawPacket | undefined;
  meta: RawMeta | undefined;
  /** Option bytes of the TCP header. */
  options: Uint8Array | undefined;
  drop: { location: bigint; reason: number | undefined } | undefined;
  netfilter: RawNetfilter | undefined;
  socket: RawSocket | undefined;
  ret: bigint | undefined;
  sock: RawSock | undefined;
  tcp: RawTcp | undefined;
  latency: RawLatency | undefined;
  /** Addresses of the call stack, innermost first, and of hook functions: from the detail that went before. */
  stack: bigint[] | undefined;
  hooks: bigint[] | undefined;
  /** The packet's first bytes, likewise. */
  bytes: RawBytes | undefined;
}

/** What a record of its own says about an event. */
export type RawDetails = Pick<RawEvent, 'stack' | 'hooks' | 'bytes'>;

/** In the order in which they follow each other, which is that of their bits. */
const SECTION_SIZES: ReadonlyArray<readonly [bit: number, size: number]> = [
  [EventSection.packet, EventPacket.size],
  [EventSection.meta, EventMeta.size],
  [EventSection.options, EventOptions.size],
  [EventSection.drop, EventDrop.size],
  [EventSection.netfilter, EventNetfilter.size],
  [EventSection.socket, EventSocket.size],
  [EventSection.return, EventReturn.size],
  [EventSection.sock, EventSock.size],
  [EventSection.stack, EventStack.size],
  [EventSection.hooks, EventHooks.size],
  [EventSection.latency, EventLatency.size],
  [EventSection.tcp, EventTcp.size],
  [EventSection.bytes, EventBytes.size],
];
const ALL_SECTIONS = SECTION_SIZES.reduce((all, [bit]) => all | bit, 0);
const LAST_KIND = Math.max(...Object.values(EventKind));
const BATCH_RECORD_HEAD = 8;
const HIGH = 2 ** 32;

/** Length of a record by its sections. A section begins where a record with only those before it would end. */
const LENGTHS = new Uint16Array(ALL_SECTIONS + 1);
LENGTHS[0] = EventHead.size;
for (const [bit, size] of SECTION_SIZES)
  for (const [before, length] of LENGTHS.subarray(0, bit).entries()) LENGTHS[bit | before] = length + size;

/** In bytes; of sections that there are. */
export function recordLength(sections: number): number {
  return LENGTHS[sections] ?? 0;
}

/** The longest record that there can be of an event, in bytes. Details alone have bytes of the packet. */
export const MAX_RECORD_BYTES = recordLength(ALL_SECTIONS & ~EventSection.bytes);

/** What is no UTF-8 becomes U+FFFD. */
const utf8 = new TextDecoder();

function cString(view: DataView, at: number, size: number): string {
  let [text, isAscii] = ['', true];
  let length = 0;
  for (; length < size && isAscii; length++) {
    const byte = view.getUint8(at + length);
    if (byte === 0) return text;
    isAscii = byte < 0x80;
    text += String.fromCharCode(byte);
  }
  if (isAscii) return text;
  const bytes = new Uint8Array(view.buffer, view.byteOffset + at, size);
  const end = bytes.indexOf(0);
  return utf8.decode(end < 0 ? bytes : bytes.subarray(0, end));
}

function nftRule(view: DataView, at: number): RawNetfilter['rule'] {
  const handle = Number(view.getBigUint64(at + EventNetfilter.rule, LITTLE));
  return handle === 0 ? undefined : { handle, verdict: view.getInt32(at + EventNetfilter.verdict, LITTLE) };
}

/** A counted array of u64 that ends before `end`. */
function addresses(view: DataView, countAt: number, at: number, end: number): bigint[] {
  const count = Math.min(view.getUint32(countAt, LITTLE), (end - at) / 8);
  return Array.from({ length: count }, (_, i) => view.getBigUint64(at + i * 8, LITTLE));
}

/** The packet section where it lies. */
class KernelPacket implements RawPacket {
  readonly #view: DataView;
  readonly #at: number;

  constructor(view: DataView, at: number) {
    this.#view = view;
    this.#at = at;
  }

  get saddr(): string {
    return addressText(this.#view, this.#at + EventPacket.saddr, this.l3Proto);
  }

  get daddr(): string {
    return addressText(this.#view, this.#at + EventPacket.daddr, this.l3Proto);
  }

  get l3Proto(): number {
    return this.#view.getUint16(this.#at + EventPacket.l3Proto, LITTLE);
  }

  get l4Proto(): number {
    return this.#view.getUint8(this.#at + EventPacket.l4Proto);
  }

  get tcpFlags(): number {
    return this.#view.getUint8(this.#at + EventPacket.tcpFlags);
  }

  get sport(): number {
    return this.#view.getUint16(this.#at + EventPacket.sport, LITTLE);
  }

  get dport(): number {
    return this.#view.getUint16(this.#at + EventPacket.dport, LITTLE);
  }

  get seq(): number {
    return this.#view.getUint32(this.#at + EventPacket.seq, LITTLE);
  }

  get ack(): number {
    return this.#view.getUint32(this.#at + EventPacket.ack, LITTLE);
  }

  get window(): number {
    return this.#view.getUint16(this.#at + EventPacket.window, LITTLE);
  }

  get ipId(): number {
    return this.#view.getUint16(this.#at + EventPacket.ipId, LITTLE);
  }

  get icmpType(): number {
    return this.#view.getUint8(this.#at + EventPacket.icmpType);
  }

  get icmpCode(): number {
    return this.#view.getUint8(this.#at + EventPacket.icmpCode);
  }

  get arpOp(): number {
    return this.#view.getUint16(this.#at + EventPacket.arpOp, LITTLE);
  }

  get payload(): number {
    return this.#view.getUint32(this.#at + EventPacket.payload, LITTLE);
  }

  get pktLen(): number {
    return this.#view.getUint32(this.#at + EventPacket.pktLen, LITTLE);
  }
}

function decodeMeta(view: DataView, at: number): RawMeta {
  return {
    ifname: cString(view, at + EventMeta.ifname, 16),
    comm: cString(view, at + EventMeta.comm, 16),
    ifindex: view.getUint32(at + EventMeta.ifindex, LITTLE),
    netns: view.getUint32(at + EventMeta.netns, LITTLE),
    pid: view.getUint32(at + EventMeta.pid, LITTLE),
    mark: view.getUint32(at + EventMeta.mark, LITTLE),
    ownerComm: cString(view, at + EventMeta.ownerComm, 16),
    ownerPid: view.getUint32(at + EventMeta.ownerPid, LITTLE),
  };
}

function decodeNetfilter(view: DataView, at: number): RawNetfilter {
  return {
    family: view.getUint8(at + EventNetfilter.family),
    hook: view.getUint8(at + EventNetfilter.hook),
    hasState: view.getUint8(at + EventNetfilter.hasState) !== 0,
    table: cString(view, at + EventNetfilter.table, EventNetfilter.chain - EventNetfilter.table),
    chain: cString(view, at + EventNetfilter.chain, EventNetfilter.size - EventNetfilter.chain),
    rule: nftRule(view, at),
  };
}

function decodeSocket(view: DataView, at: number): RawSocket {
  const optional = (has: number, value: number) =>
    view.getUint32(at + has, LITTLE) ? view.getUint32(at + value, LITTLE) : undefined;
  const requestLeft = optional(EventSocket.hasRequestLeft, EventSocket.requestLeft);
  return {
    state: view.getUint32(at + EventSocket.state, LITTLE),
    newState: view.getUint32(at + EventSocket.newState, LITTLE),
    resetReason: optional(EventSocket.hasResetReason, EventSocket.resetReason),
    requestLeft: requestLeft === undefined ? undefined : requestLeft !== 0,
  };
}

/**
 * A record where it lies: nothing of it is decoded before it is asked for. It is moved from one record to the next, so who
 * keeps it takes a copy of the bytes.
 */
export class KernelRecord implements RawEvent {
  view: DataView;
  /** Where it begins, in bytes from the view's beginning. */
  at = 0;
  /** EventSection bits */
  sections = 0;
  details: RawDetails | undefined;
  #packet: KernelPacket | undefined;

  constructor(view: DataView) {
    this.view = view;
  }

  seek(at: number): this {
    this.at = at;
    this.sections = this.view.getUint32(at + EventHead.sections, LITTLE);
    this.details = undefined;
    this.#packet = undefined;
    return this;
  }

  get length(): number {
    return LENGTHS[this.sections] ?? 0;
  }

  get time(): number {
    return this.u32(EventHead.timeNs + 4) * HIGH + this.u32(EventHead.timeNs);
  }

  get traceId(): bigint {
    return this.view.getBigUint64(this.at + EventHead.traceId, LITTLE);
  }

  get skb(): bigint {
    return this.view.getBigUint64(this.at + EventHead.skb, LITTLE);
  }

  get related(): bigint {
    return this.view.getBigUint64(this.at + EventHead.related, LITTLE);
  }

  get probe(): number {
    return this.view.getUint16(this.at + EventHead.probe, LITTLE);
  }

  get kind(): number {
    return this.view.getUint8(this.at + EventHead.kind);
  }

  get flags(): number {
    return this.view.getUint8(this.at + EventHead.flags);
  }

  get cpu(): number {
    return this.u32(EventHead.cpu);
  }

  get skbLen(): number {
    return this.u32(EventHead.skbLen);
  }

  get packet(): RawPacket | undefined {
    if (!(this.sections & EventSection.packet)) return undefined;
    this.#packet ??= new KernelPacket(this.view, this.offset(EventSection.packet));
    return this.#packet;
  }

  get meta(): RawMeta | undefined {
    return this.sections & EventSection.meta ? decodeMeta(this.view, this.offset(EventSection.meta)) : undefined;
  }

  /** Inode of the network namespace; 0 where the record does not tell. */
  get netns(): number {
    if (!(this.sections & EventSection.meta)) return 0;
    return this.view.getUint32(this.offset(EventSection.meta) + EventMeta.netns, LITTLE);
  }

  get options(): Uint8Array | undefined {
    if (!(this.sections & EventSection.options)) return undefined;
    const at = this.offset(EventSection.options);
    const length = this.view.getUint32(at + EventOptions.length, LITTLE);
    if (length === 0) return undefined;
    return new Uint8Array(this.view.buffer, this.view.byteOffset + at + EventOptions.bytes, length);
  }

  get drop(): RawEvent['drop'] {
    if (!(this.sections & EventSection.drop)) return undefined;
    const at = this.offset(EventSection.drop);
    const hasReason = this.view.getUint32(at + EventDrop.hasReason, LITTLE) !== 0;
    return {
      location: this.view.getBigUint64(at + EventDrop.location, LITTLE),
      reason: hasReason ? this.view.getUint32(at + EventDrop.reason, LITTLE) : undefined,
    };
  }

  get netfilter(): RawNetfilter | undefined {
    if (!(this.sections & EventSection.netfilter)) return undefined;
    return decodeNetfilter(this.view, this.offset(EventSection.netfilter));
  }

  get socket(): RawSocket | undefined {
    return this.sections & EventSection.socket ? decodeSocket(this.view, this.offset(EventSection.socket)) : undefined;
  }

  get ret(): bigint | undefined {
    if (!(this.sections & EventSection.return)) return undefined;
    return this.view.getBigInt64(this.offset(EventSection.return) + EventReturn.value, LITTLE);
  }

  get sock(): RawSock | undefined {
    return this.sections & EventSection.sock ? decodeSock(this.view, this.offset(EventSection.sock)) : undefined;
  }

  get tcp(): RawTcp | undefined {
    return this.sections & EventSection.tcp ? decodeTcp(this.view, this.offset(EventSection.tcp)) : undefined;
  }

  get latency(): RawLatency | undefined {
    if (!(this.sections & EventSection.latency)) return undefined;
    const at = this.offset(EventSection.latency);
    return {
      from: Number(this.view.getBigUint64(at + EventLatency.fromNs, LITTLE)),
      to: Number(this.view.getBigUint64(at + EventLatency.toNs, LITTLE)),
      fromProbe: this.view.getUint32(at + EventLatency.from, LITTLE),
      toProbe: this.view.getUint32(at + EventLatency.to, LITTLE),
    };
  }

  get stack(): bigint[] | undefined {
    if (!(this.sections & EventSection.stack)) return this.details?.stack;
    const at = this.offset(EventSection.stack);
    return addresses(this.view, at + EventStack.count, at + EventStack.address, at + EventStack.size);
  }

  get hooks(): bigint[] | undefined {
    if (!(this.sections & EventSection.hooks)) return this.details?.hooks;
    const at = this.offset(EventSection.hooks);
    return addresses(this.view, at + EventHooks.count, at + EventHooks.address, at + EventHooks.size);
  }

  get bytes(): RawBytes | undefined {
    if (!(this.sections & EventSection.bytes)) return this.details?.bytes;
    const at = this.offset(EventSection.bytes);
    const number = (offset: number) => this.view.getUint32(at + offset, LITTLE);
    const from = this.view.byteOffset + at + EventBytes.bytes;
    return {
      // a copy in memory that buffers share: one of its own costs much more
      bytes: Buffer.from(new Uint8Array(this.view.buffer, from, number(EventBytes.captured))),
      length: number(EventBytes.length),
      isEthernet: number(EventBytes.isEthernet) !== 0,
      isCut: number(EventBytes.isCut) !== 0,
    };
  }

  /** 32 bits of the head, at an offset of EventHead. */
  u32(offset: number): number {
    return this.view.getUint32(this.at + offset, LITTLE);
  }

  /** Where a section that is there begins, in bytes from the view's beginning. */
  offset(section: number): number {
    return this.at + (LENGTHS[this.sections & (section - 1)] ?? 0);
  }
}

/**
 * Finds the records in batches of the ring buffer reader. A record that does not check out costs that record: it is
 * counted in `malformed` and the rest goes on.
 */
export class RecordDecoder {
  malformed = 0;
  readonly #probeCount: number;

  /** `probeCount`: ids from 0 up to this one are valid. */
  constructor(probeCount: number) {
    this.#probeCount = probeCount;
  }

  /** Layout of a batch: see RingBufferOptions.onBatch of bpf-loader-node. The record is `onRecord`'s until it returns. */
  decodeBatch(batch: ArrayBuffer, onRecord: (record: KernelRecord) => void): void {
    const view = new DataView(batch);
    const record = new KernelRecord(view);
    let at = 0;
    while (at + BATCH_RECORD_HEAD <= batch.byteLength) {
      const length = view.getUint32(at, LITTLE);
      const start = at + BATCH_RECORD_HEAD;
      if (start + length > batch.byteLength) {
        this.malformed++;
        return; // where the next record would start is unknown
      }
      if (length >= EventHead.size && this.#isValid(record.seek(start), length)) onRecord(record);
      else this.malformed++;
      at = start + ((length + 7) & ~7);
    }
    if (at < batch.byteLength) this.malformed++;
  }

  #isValid(record: KernelRecord, length: number): boolean {
    const { sections } = record;
    if (length !== LENGTHS[sections]) return false;
    if (record.kind > LAST_KIND || record.probe >= this.#probeCount) return false;
    if (sections & EventSection.bytes) {
      if (record.kind !== EventKind.detail) return false;
      const captured = record.view.getUint32(record.offset(EventSection.bytes) + EventBytes.captured, LITTLE);
      if (captured > EventBytes.captured - EventBytes.bytes) return false;
    }
    if (sections & EventSection.options) {
      const options = record.view.getUint32(record.offset(EventSection.options) + EventOptions.length, LITTLE);
      if (options > EventOptions.length - EventOptions.bytes) return false;
    }
    const { latency } = record;
    return !latency || (latency.fromProbe < this.#probeCount && latency.toProbe < this.#probeCount);
  }
}
