import {
  EventDrop,
  EventHead,
  EventKind,
  EventMeta,
  EventNetfilter,
  EventOptions,
  EventPacket,
  EventReturn,
  EventSection,
  EventSocket,
} from '../generated/layout.js';
import { formatIpv4, formatIpv6 } from './addresses.js';
import { LITTLE } from './byte-order.js';

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
}

export interface RawNetfilter {
  family: number;
  hook: number;
  hasState: boolean;
  table: string;
  chain: string;
}

export interface RawSocket {
  state: number;
  newState: number;
  resetReason: number | undefined;
  tsRecent: number | undefined;
}

/** One record, decoded. */
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
  packet: RawPacket | undefined;
  meta: RawMeta | undefined;
  /** Option bytes of the TCP header. */
  options: Uint8Array | undefined;
  drop: { location: bigint; reason: number | undefined } | undefined;
  netfilter: RawNetfilter | undefined;
  socket: RawSocket | undefined;
  ret: bigint | undefined;
}

const SECTION_SIZES: ReadonlyArray<readonly [bit: number, size: number]> = [
  [EventSection.packet, EventPacket.size],
  [EventSection.meta, EventMeta.size],
  [EventSection.options, EventOptions.size],
  [EventSection.drop, EventDrop.size],
  [EventSection.netfilter, EventNetfilter.size],
  [EventSection.socket, EventSocket.size],
  [EventSection.return, EventReturn.size],
];
const ALL_SECTIONS = SECTION_SIZES.reduce((all, [bit]) => all | bit, 0);
const LAST_KIND = Math.max(...Object.values(EventKind));
const BATCH_RECORD_HEAD = 8;
const MAX_CACHED_ADDRESSES = 4096;

/** What is no UTF-8 becomes U+FFFD. */
const utf8 = new TextDecoder();

function cString(bytes: Uint8Array, at: number, size: number): string {
  const end = bytes.indexOf(0, at);
  return utf8.decode(bytes.subarray(at, end < 0 || end > at + size ? at + size : end));
}

/** Length in bytes that a record with these sections must have. */
export function recordLength(sections: number): number {
  let length: number = EventHead.size;
  for (const [bit, size] of SECTION_SIZES) if (sections & bit) length += size;
  return length;
}

/**
 * Turns batches of the ring buffer reader into events. A record that does not check out costs that record: it is
 * counted in `malformed` and the rest goes on.
 */
export class RecordDecoder {
  malformed = 0;
  readonly #probeCount: number;
  readonly #ipv4 = new Map<number, string>();

  /** `probeCount`: ids from 0 up to this one are valid. */
  constructor(probeCount: number) {
    this.#probeCount = probeCount;
  }

  /** Layout of a batch: see RingBufferOptions.onBatch of bpf-loader-node. */
  decodeBatch(batch: ArrayBuffer, onEvent: (event: RawEvent) => void): void {
    const view = new DataView(batch);
    const bytes = new Uint8Array(batch);
    let at = 0;
    while (at + BATCH_RECORD_HEAD <= batch.byteLength) {
      const length = view.getUint32(at, LITTLE);
      const start = at + BATCH_RECORD_HEAD;
      if (start + length > batch.byteLength) {
        this.malformed++;
        return; // where the next record would start is unknown
      }
      const event = this.#decodeRecord(view, bytes, start, length);
      if (event) onEvent(event);
      else this.malformed++;
      at = start + ((length + 7) & ~7);
    }
    if (at < batch.byteLength) this.malformed++;
  }

  #decodeRecord(view: DataView, bytes: Uint8Array, at: number, length: number): RawEvent | null {
    if (length < EventHead.size) return null;
    const sections = view.getUint32(at + EventHead.sections, LITTLE);
    const kind = view.getUint8(at + EventHead.kind);
    const probe = view.getUint16(at + EventHead.probe, LITTLE);
    if (sections & ~ALL_SECTIONS || length !== recordLength(sections)) return null;
    if (kind > LAST_KIND || probe >= this.#probeCount) return null;
    const event: RawEvent = {
      time: Number(view.getBigUint64(at + EventHead.timeNs, LITTLE)),
      traceId: view.getBigUint64(at + EventHead.traceId, LITTLE),
      skb: view.getBigUint64(at + EventHead.skb, LITTLE),
      related: view.getBigUint64(at + EventHead.related, LITTLE),
      probe,
      kind,
      flags: view.getUint8(at + EventHead.flags),
      cpu: view.getUint32(at + EventHead.cpu, LITTLE),
      packet: undefined,
      meta: undefined,
      options: undefined,
      drop: undefined,
      netfilter: undefined,
      socket: undefined,
      ret: undefined,
    };
    let next = at + EventHead.size;
    for (const [bit, size] of SECTION_SIZES) {
      if (!(sections & bit)) continue;
      if (!this.#decodeSection(event, bit, view, bytes, next)) return null;
      next += size;
    }
    return event;
  }

  #decodeSection(event: RawEvent, bit: number, view: DataView, bytes: Uint8Array, at: number): boolean {
    switch (bit) {
      case EventSection.packet:
        event.packet = this.#decodePacket(view, bytes, at);
        return true;
      case EventSection.meta:
        event.meta = {
          ifname: cString(bytes, at + EventMeta.ifname, 16),
          comm: cString(bytes, at + EventMeta.comm, 16),
          ifindex: view.getUint32(at + EventMeta.ifindex, LITTLE),
          netns: view.getUint32(at + EventMeta.netns, LITTLE),
          pid: view.getUint32(at + EventMeta.pid, LITTLE),
          mark: view.getUint32(at + EventMeta.mark, LITTLE),
        };
        return true;
      case EventSection.options: {
        const length = view.getUint32(at + EventOptions.length, LITTLE);
        if (length > EventOptions.length - EventOptions.bytes) return false;
        if (length) event.options = bytes.slice(at + EventOptions.bytes, at + EventOptions.bytes + length);
        return true;
      }
      case EventSection.drop:
        event.drop = {
          location: view.getBigUint64(at + EventDrop.location, LITTLE),
          reason: view.getUint32(at + EventDrop.hasReason, LITTLE)
            ? view.getUint32(at + EventDrop.reason, LITTLE)
            : undefined,
        };
        return true;
      case EventSection.netfilter:
        event.netfilter = {
          family: view.getUint8(at + EventNetfilter.family),
          hook: view.getUint8(at + EventNetfilter.hook),
          hasState: view.getUint8(at + EventNetfilter.hasState) !== 0,
          table: cString(bytes, at + EventNetfilter.table, EventNetfilter.chain - EventNetfilter.table),
          chain: cString(bytes, at + EventNetfilter.chain, EventNetfilter.size - EventNetfilter.chain),
        };
        return true;
      case EventSection.socket:
        event.socket = {
          state: view.getUint32(at + EventSocket.state, LITTLE),
          newState: view.getUint32(at + EventSocket.newState, LITTLE),
          resetReason: view.getUint32(at + EventSocket.hasResetReason, LITTLE)
            ? view.getUint32(at + EventSocket.resetReason, LITTLE)
            : undefined,
          tsRecent: view.getUint32(at + EventSocket.hasTsRecent, LITTLE)
            ? view.getUint32(at + EventSocket.tsRecent, LITTLE)
            : undefined,
        };
        return true;
      default:
        event.ret = view.getBigInt64(at + EventReturn.value, LITTLE);
        return true;
    }
  }

  #decodePacket(view: DataView, bytes: Uint8Array, at: number): RawPacket {
    const l3Proto = view.getUint16(at + EventPacket.l3Proto, LITTLE);
    return {
      saddr: this.#address(view, bytes, at + EventPacket.saddr, l3Proto),
      daddr: this.#address(view, bytes, at + EventPacket.daddr, l3Proto),
      l3Proto,
      l4Proto: view.getUint8(at + EventPacket.l4Proto),
      tcpFlags: view.getUint8(at + EventPacket.tcpFlags),
      sport: view.getUint16(at + EventPacket.sport, LITTLE),
      dport: view.getUint16(at + EventPacket.dport, LITTLE),
      seq: view.getUint32(at + EventPacket.seq, LITTLE),
      ack: view.getUint32(at + EventPacket.ack, LITTLE),
      window: view.getUint16(at + EventPacket.window, LITTLE),
      ipId: view.getUint16(at + EventPacket.ipId, LITTLE),
      icmpType: view.getUint8(at + EventPacket.icmpType),
      icmpCode: view.getUint8(at + EventPacket.icmpCode),
      arpOp: view.getUint16(at + EventPacket.arpOp, LITTLE),
      payload: view.getUint32(at + EventPacket.payload, LITTLE),
      pktLen: view.getUint32(at + EventPacket.pktLen, LITTLE),
    };
  }

  #address(view: DataView, bytes: Uint8Array, at: number, l3Proto: number): string {
    if (l3Proto === 0x86dd) return formatIpv6(bytes.subarray(at, at + 16));
    const key = view.getUint32(at);
    let text = this.#ipv4.get(key);
    if (text === undefined) {
      text = formatIpv4(bytes.subarray(at, at + 4));
      if (this.#ipv4.size >= MAX_CACHED_ADDRESSES) this.#ipv4.clear();
      this.#ipv4.set(key, text);
    }
    return text;
  }
}
