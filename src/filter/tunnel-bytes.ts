import { behindTheLast, type RecordedBytes } from './recorded-bytes.js';

const ETHERNET_BYTES = 14;
const ETH_P_IP = 0x0800;
const ETH_P_IPV6 = 0x86dd;
const ETH_P_TEB = 0x6558;
const VLAN_TYPES = [0x8100, 0x88a8];
/** Two in the data, and one that stood beside it. */
const MAX_VLAN_TAGS = 3;
const VLAN_BYTES = 4;
const MAX_IPV6_EXTENSIONS = 4;
const [HOP, ROUTING, FRAGMENT, DESTINATION] = [0, 43, 44, 60];
const EXTENSIONS = [HOP, ROUTING, FRAGMENT, DESTINATION];
const [UDP, GRE, IPIP, IPV6] = [17, 47, 4, 41];
const UDP_BYTES = 8;
const TUNNEL_BYTES = 8;
/** The second is what Linux takes for devices that were given none. */
const VXLAN_PORTS = [4789, 8472];
const VXLAN_HAS_VNI = 0x08;
const GENEVE_PORT = 6081;
const GRE_CSUM = 0x8000;
const GRE_ROUTING = 0x4000;
const GRE_KEY = 0x2000;
const GRE_SEQ = 0x1000;
const GRE_VERSION = 0x0007;

export const TUNNEL_PORTS: readonly number[] = [...VXLAN_PORTS, GENEVE_PORT];
/** Numbers of IP protocols. */
export const TUNNEL_PROTOCOLS: readonly number[] = [GRE, IPIP, IPV6];

/** The packet ends before what was to be read. */
class Ended extends Error {}

class Reader {
  readonly #packet: RecordedBytes;

  constructor(packet: RecordedBytes) {
    this.#packet = packet;
  }

  u8(at: number): number {
    const byte = this.#packet.bytes[at];
    if (byte !== undefined) return byte;
    throw this.#packet.isCut ? behindTheLast(this.#packet) : new Ended();
  }

  u16(at: number): number {
    return (this.u8(at) << 8) | this.u8(at + 1);
  }
}

interface Place {
  at: number;
  protocol: number;
}

function findNetwork(read: Reader, link: RecordedBytes['link']): { at: number; version: number } {
  let at = 0;
  if (link === 'ethernet') {
    at = ETHERNET_BYTES;
    for (let i = 0; i < MAX_VLAN_TAGS && VLAN_TYPES.includes(read.u16(at - 2)); i++) at += VLAN_BYTES;
    const type = read.u16(at - 2);
    if (type !== ETH_P_IP && type !== ETH_P_IPV6) return { at, version: 0 };
  }
  return { at, version: read.u8(at) >> 4 };
}

function behindIpv6(read: Reader, ip: number): Place | undefined {
  let [at, protocol] = [ip + 40, read.u8(ip + 6)];
  for (let i = 0; i < MAX_IPV6_EXTENSIONS && EXTENSIONS.includes(protocol); i++) {
    if (protocol === FRAGMENT && (read.u8(at + 2) || read.u8(at + 3) & 0xf8)) return undefined;
    const size = protocol === FRAGMENT ? 8 : (read.u8(at + 1) + 1) * 8;
    protocol = read.u8(at);
    at += size;
  }
  return { at, protocol };
}

/** Where IP's header ends, and what follows; undefined where that is not IP, or a fragment behind the first. */
function findTransport(read: Reader, link: RecordedBytes['link']): Place | undefined {
  const { at, version } = findNetwork(read, link);
  if (version === 6) return behindIpv6(read, at);
  const header = version === 4 ? (read.u8(at) & 0xf) * 4 : 0;
  if (header < 20 || read.u16(at + 6) & 0x1fff) return undefined;
  return { at: at + header, protocol: read.u8(at + 9) };
}

type Inner = Pick<RecordedBytes, 'link'> & { at: number };

/** What a number of an ethertype says of the inner packet. */
function innerOf(at: number, type: number): Inner | undefined {
  if (type === ETH_P_TEB) return { at, link: 'ethernet' };
  return type === ETH_P_IP || type === ETH_P_IPV6 ? { at, link: 'raw' } : undefined;
}

function insideUdp(read: Reader, udp: number): Inner | undefined {
  const port = read.u16(udp + 2);
  const [tunnel, at] = [udp + UDP_BYTES, udp + UDP_BYTES + TUNNEL_BYTES];
  if (VXLAN_PORTS.includes(port)) return read.u8(tunnel) & VXLAN_HAS_VNI ? { at, link: 'ethernet' } : undefined;
  if (port !== GENEVE_PORT || read.u8(tunnel) >> 6) return undefined;
  return innerOf(at + (read.u8(tunnel) & 0x3f) * 4, read.u16(tunnel + 2));
}

function insideGre(read: Reader, gre: number): Inner | undefined {
  const flags = read.u16(gre);
  if (flags & (GRE_ROUTING | GRE_VERSION)) return undefined;
  const options = [GRE_CSUM, GRE_KEY, GRE_SEQ].filter((flag) => flags & flag).length;
  return innerOf(gre + 4 + options * 4, read.u16(gre + 2));
}

function findInner(read: Reader, link: RecordedBytes['link']): Inner | undefined {
  const transport = findTransport(read, link);
  if (!transport) return undefined;
  const { at, protocol } = transport;
  if (protocol === UDP) return insideUdp(read, at);
  if (protocol === GRE) return insideGre(read, at);
  return protocol === IPIP || protocol === IPV6 ? { at, link: 'raw' } : undefined;
}

/**
 * What is inside of VXLAN, Geneve, GRE or IP in IP, found as bpf/filter_program.bpf.h finds it; undefined where the packet
 * is none of these. Throws NotKnown where the recorded bytes end before that can be said.
 */
export function insideTunnel(packet: RecordedBytes): RecordedBytes | undefined {
  const { bytes, length } = packet;
  try {
    const read = new Reader(packet);
    const inner = findInner(read, packet.link);
    if (!inner) return undefined;
    const { at, link } = inner;
    read.u8(at);
    return { ...packet, bytes: bytes.subarray(at), link, length: length - at };
  } catch (error) {
    if (error instanceof Ended) return undefined;
    throw error;
  }
}
