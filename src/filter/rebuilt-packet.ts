import { parseAddress } from '../decode/addresses.js';
import { parseTcpFlags } from '../decode/names.js';
import type { Proto, TraceEvent, Tuple } from '../types.js';
import type { PartialPacket } from './classic-interpreter.js';

const ETHERNET_BYTES = 14;
const IPV4_BYTES = 20;
const IPV6_BYTES = 40;
const EXTENSION_BYTES = 8;
const PROTO_NUMBERS: Readonly<Partial<Record<Proto, number>>> = { icmp: 1, tcp: 6, udp: 17, icmpv6: 58 };
const OTHER_PROTOS = Object.values(PROTO_NUMBERS);
const OTHER_PROTO = 'the number of an IP protocol that has no name here';
const FRAGMENT = 44;
/** Of the bytes with the flags: where the fragment stands in its packet. */
const OFFSET_MASK = 0x1fff;
/** Multicast listener queries and reports: they have a hop-by-hop header with the router alert (RFC 2710, RFC 3810). */
const LISTENER_TYPES = [130, 131, 132, 143];

/** What is recorded of a packet at one place. */
export interface RecordedPacket {
  proto: Proto;
  tuple: Tuple;
  event: Partial<TraceEvent>;
}

/** Bytes that are filled in where they are known. */
class Headers {
  readonly bytes: Uint8Array;
  readonly known: Uint8Array;
  readonly not = new Map<number, readonly number[]>();
  someOf: PartialPacket['someOf'];
  readonly #names: string[];

  constructor(length: number) {
    this.bytes = new Uint8Array(length);
    this.known = new Uint8Array(length);
    this.#names = new Array<string>(length).fill('a header field');
  }

  /** Big-endian; `mask`: which bits are known. */
  put(at: number, size: number, value: number, mask = 2 ** (8 * size) - 1): void {
    for (let i = 0; i < size; i++) {
      const shift = 8 * (size - 1 - i);
      this.bytes[at + i] = Math.floor(value / 2 ** shift) & 0xff;
      this.known[at + i] = Math.floor(mask / 2 ** shift) & 0xff;
    }
  }

  address(at: number, bytes: Uint8Array): void {
    this.bytes.set(bytes, at);
    this.known.fill(0xff, at, at + bytes.length);
  }

  /** A number that is another one than those that have names of their own. */
  otherProto(at: number): void {
    this.not.set(at, OTHER_PROTOS);
  }

  name(at: number, size: number, name: string): void {
    this.#names.fill(name, at, at + size);
  }

  readonly nameOf = (at: number): string => this.#names[at] ?? 'the payload';
}

/** Is it a fragment behind the first, of which there is no transport header? Undefined where it cannot be said. */
function isLaterFragment({ proto, tuple, event }: RecordedPacket): boolean | undefined {
  if (proto === 'tcp' || proto === 'udp') return !(tuple.sport || tuple.dport);
  const { icmp } = event;
  // a fragment has no ICMP header: all of it reads as 0
  return icmp && (icmp.type || icmp.code || icmp.id || icmp.seq) ? false : undefined;
}

function putTransport(headers: Headers, at: number, { proto, tuple, event }: RecordedPacket): void {
  if (proto === 'tcp' || proto === 'udp') {
    headers.put(at, 2, tuple.sport ?? 0);
    headers.put(at + 2, 2, tuple.dport ?? 0);
  }
  const { tcp, icmp } = event;
  if (proto === 'tcp') {
    headers.name(at + 4, 8, "TCP's sequence numbers");
    headers.name(at + 12, 1, 'the length of the TCP header');
    headers.name(at + 13, 1, "TCP's flags");
    headers.name(at + 14, 2, "TCP's window");
    headers.name(at + 16, 2, "TCP's checksum");
    headers.name(at + 18, 2, "TCP's urgent pointer");
    if (!tcp) return;
    headers.put(at + 4, 4, tcp.seq);
    headers.put(at + 8, 4, tcp.ack);
    const flags = parseTcpFlags(tcp.flags);
    if (flags !== null) headers.put(at + 13, 1, flags);
    // before the header is written there is none
    if (!event.fromSocket) headers.put(at + 14, 2, tcp.win);
  } else if (proto === 'udp') {
    headers.name(at + 4, 2, "UDP's length");
    headers.name(at + 6, 2, "UDP's checksum");
  } else if (icmp) {
    headers.put(at, 1, icmp.type);
    headers.put(at + 1, 1, icmp.code);
    headers.name(at + 2, 2, "ICMP's checksum");
    headers.name(at + 4, 4, "the rest of ICMP's header");
    if (icmp.id !== undefined) headers.put(at + 4, 2, icmp.id);
    if (icmp.seq !== undefined) headers.put(at + 6, 2, icmp.seq);
  }
}

function protoNumber({ proto, event }: RecordedPacket): number | undefined {
  return PROTO_NUMBERS[proto] ?? event.ipProtocol;
}

/** Bytes of the transport's header that the kernel has read, so that they are there. */
function transportBytes(proto: Proto): number {
  if (proto === 'tcp') return 20;
  return PROTO_NUMBERS[proto] === undefined ? 0 : 8;
}

function ipv4(at: number, packet: RecordedPacket, saddr: Uint8Array, daddr: Uint8Array): Headers {
  const later = isLaterFragment(packet);
  const end = at + IPV4_BYTES;
  const headers = new Headers(end + (later ? 0 : transportBytes(packet.proto)));
  headers.put(at, 1, 0x45, 0xf0);
  headers.name(at, 1, 'the length of the IP header');
  headers.name(at + 1, 1, 'the type of service (TOS)');
  headers.name(at + 2, 2, 'the total length in the IP header');
  headers.name(at + 4, 2, 'the identification (IP id)');
  headers.name(at + 6, 2, 'flags and offset of fragments');
  headers.name(at + 8, 1, 'the TTL');
  headers.name(at + 9, 1, OTHER_PROTO);
  headers.name(at + 10, 2, "IP's checksum");
  if (later) headers.someOf = { at: at + 6, mask: OFFSET_MASK };
  if (later === false) headers.put(at + 6, 2, 0, OFFSET_MASK);
  const proto = protoNumber(packet);
  if (proto === undefined) headers.otherProto(at + 9);
  else headers.put(at + 9, 1, proto);
  headers.address(at + 12, saddr);
  headers.address(at + 16, daddr);
  if (!later) putTransport(headers, end, packet);
  return headers;
}

function ipv6(at: number, packet: RecordedPacket, saddr: Uint8Array, daddr: Uint8Array): Headers {
  const later = isLaterFragment(packet);
  const isListener = packet.proto === 'icmpv6' && LISTENER_TYPES.includes(packet.event.icmp?.type ?? -1);
  const extension = later || isListener ? EXTENSION_BYTES : 0;
  const end = at + IPV6_BYTES + extension;
  const headers = new Headers(end + (later ? 0 : transportBytes(packet.proto)));
  headers.put(at, 1, 0x60, 0xf0);
  headers.name(at, 4, 'the traffic class and the flow label');
  headers.name(at + 4, 2, "the payload's length in the IPv6 header");
  headers.name(at + 6, 1, OTHER_PROTO);
  headers.name(at + 7, 1, 'the hop limit');
  headers.address(at + 8, saddr);
  headers.address(at + 24, daddr);
  const last = extension > 0 ? at + IPV6_BYTES : at + 6;
  if (extension > 0) {
    headers.put(at + 6, 1, later ? FRAGMENT : 0);
    headers.name(last, EXTENSION_BYTES, 'the extension header');
  }
  const proto = protoNumber(packet);
  if (proto === undefined) headers.otherProto(last);
  else headers.put(last, 1, proto);
  if (!later) putTransport(headers, end, packet);
  return headers;
}

function arp(at: number, { event }: RecordedPacket, saddr: Uint8Array, daddr: Uint8Array): Headers {
  const headers = new Headers(at + 28);
  headers.name(at, 28, 'MAC addresses');
  headers.name(at, 2, "the hardware's type");
  headers.name(at + 6, 2, "ARP's operation");
  // others are not read
  headers.put(at + 2, 2, 0x0800);
  headers.put(at + 4, 1, 6);
  headers.put(at + 5, 1, 4);
  if (event.arpOp !== undefined) headers.put(at + 6, 2, event.arpOp);
  headers.address(at + 14, saddr);
  headers.address(at + 24, daddr);
  return headers;
}

/**
 * The packet's headers as far as they are recorded, behind an Ethernet header or not. Undefined where there is no such
 * packet: no headers were read, or it has no link layer but needs one. IPv6 packets are taken to have no extension headers
 * but those that they must have.
 */
export function rebuildPacket(packet: RecordedPacket, link: 'ethernet' | 'raw'): PartialPacket | undefined {
  const saddr = parseAddress(packet.tuple.saddr);
  const daddr = parseAddress(packet.tuple.daddr);
  if (!saddr || !daddr || saddr.length !== daddr.length || packet.proto === 'unknown') return undefined;
  const isArp = packet.proto === 'arp';
  if (isArp && (link === 'raw' || saddr.length !== 4)) return undefined;
  const at = link === 'ethernet' ? ETHERNET_BYTES : 0;
  const isV4 = saddr.length === 4;
  const headers = (isArp ? arp : isV4 ? ipv4 : ipv6)(at, packet, saddr, daddr);
  if (link === 'ethernet') {
    headers.name(0, 12, 'MAC addresses');
    headers.put(12, 2, isArp ? 0x0806 : isV4 ? 0x0800 : 0x86dd);
  }
  const { bytes, known, not, someOf, nameOf } = headers;
  return {
    bytes,
    known,
    not,
    someOf,
    nameOf,
    ipv4: isV4 && !isArp ? { at, bytes: IPV4_BYTES } : undefined,
    length: packet.event.len,
    isWhole: false,
  };
}
