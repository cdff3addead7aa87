import {
  bytesOf,
  concat,
  copy,
  Fields,
  inUnits,
  ipv6Bytes,
  ipv6Text,
  macBytes,
  macText,
  noSuchKind,
  packBits,
  viewOf,
} from './fields.js';

/** An option of neighbour discovery (RFC 4861). */
export type NdpOption =
  | { kind: 'source-link-address' | 'target-link-address'; mac: string }
  /** Lifetimes in seconds, 0xffffffff for ever. */
  | {
      kind: 'prefix';
      prefix: string;
      prefixLength: number;
      onLink: boolean;
      autonomous: boolean;
      validLifetime: number;
      preferredLifetime: number;
    }
  | { kind: 'mtu'; mtu: number }
  /** Any other, and those above with reserved bits set: 8 n - 2 bytes behind type and length. */
  | { kind: 'unknown'; number: number; data: Uint8Array }
  /** Bytes that are no option. */
  | { kind: 'raw'; data: Uint8Array };

export interface RouterSolicitation {
  kind: 'router-solicitation';
  /** 32 bits. */
  reserved: number;
  options: readonly NdpOption[];
}

export interface RouterAdvertisement {
  kind: 'router-advertisement';
  hopLimit: number;
  managed: boolean;
  otherConfiguration: boolean;
  /** The lower six bits of the flags. */
  moreFlags: number;
  /** Seconds. */
  routerLifetime: number;
  /** Milliseconds. */
  reachableTime: number;
  retransTimer: number;
  options: readonly NdpOption[];
}

export interface NeighborSolicitation {
  kind: 'neighbor-solicitation';
  /** 32 bits. */
  reserved: number;
  target: string;
  options: readonly NdpOption[];
}

export interface NeighborAdvertisement {
  kind: 'neighbor-advertisement';
  router: boolean;
  solicited: boolean;
  override: boolean;
  /** 29 bits. */
  reserved: number;
  target: string;
  options: readonly NdpOption[];
}

export interface NdpRedirect {
  kind: 'redirect';
  /** 32 bits. */
  reserved: number;
  target: string;
  destination: string;
  options: readonly NdpOption[];
}

export type NdpMessage =
  | RouterSolicitation
  | RouterAdvertisement
  | NeighborSolicitation
  | NeighborAdvertisement
  | NdpRedirect;

export const NDP_TYPE = {
  'router-solicitation': 133,
  'router-advertisement': 134,
  'neighbor-solicitation': 135,
  'neighbor-advertisement': 136,
  redirect: 137,
};

const OPTION = { 'source-link-address': 1, 'target-link-address': 2, prefix: 3, mtu: 5 };

/** All behind the checksum. */
export function encodeNdp(message: NdpMessage): Uint8Array {
  // first: what is no message has no options either
  const fixed = encodeFixed(message);
  return concat(fixed, ...message.options.map(encodeOption));
}

function encodeFixed(message: NdpMessage): Uint8Array {
  switch (message.kind) {
    case 'router-solicitation': {
      const fields = new Fields(4);
      fields.u32(0, message.reserved, 'reserved bits');
      return fields.bytes;
    }
    case 'router-advertisement': {
      const fields = new Fields(12);
      fields.u8(0, message.hopLimit, 'hopLimit');
      const { managed, otherConfiguration, moreFlags } = message;
      fields.u8(
        1,
        packBits([managed, 1, 'managed'], [otherConfiguration, 1, 'other'], [moreFlags, 6, 'moreFlags']),
        '',
      );
      fields.u16(2, message.routerLifetime, 'routerLifetime');
      fields.u32(4, message.reachableTime, 'reachableTime');
      fields.u32(8, message.retransTimer, 'retransTimer');
      return fields.bytes;
    }
    case 'neighbor-solicitation':
      return withTarget(message.reserved, message.target);
    case 'neighbor-advertisement': {
      const { router, solicited, override, reserved } = message;
      const word = packBits(
        [router, 1, 'router'],
        [solicited, 1, 'solicited'],
        [override, 1, 'override'],
        [reserved, 29, 'reserved bits'],
      );
      return withTarget(word, message.target);
    }
    case 'redirect':
      return concat(withTarget(message.reserved, message.target), ipv6Bytes(message.destination, 'destination'));
    default:
      throw noSuchKind('icmpv6 message', message);
  }
}

function withTarget(word: number, target: string): Uint8Array {
  const fields = new Fields(20);
  fields.u32(0, word, 'reserved bits');
  fields.put(4, ipv6Bytes(target, 'target'));
  return fields.bytes;
}

function encodeOption(option: NdpOption): Uint8Array {
  switch (option.kind) {
    case 'raw':
      return bytesOf(option.data, 'data of an option');
    case 'unknown':
      return numbered(option.number, bytesOf(option.data, 'data of an option'));
    case 'mtu': {
      const fields = new Fields(6);
      fields.u32(2, option.mtu, 'mtu');
      return numbered(OPTION.mtu, fields.bytes);
    }
    case 'prefix': {
      const fields = new Fields(30);
      fields.u8(0, option.prefixLength, 'prefixLength');
      fields.u8(1, packBits([option.onLink, 1, 'onLink'], [option.autonomous, 1, 'autonomous'], [0, 6, '']), '');
      fields.u32(2, option.validLifetime, 'validLifetime');
      fields.u32(6, option.preferredLifetime, 'preferredLifetime');
      fields.put(14, ipv6Bytes(option.prefix, 'prefix'));
      return numbered(OPTION.prefix, fields.bytes);
    }
    case 'source-link-address':
    case 'target-link-address':
      return numbered(OPTION[option.kind], macBytes(option.mac, option.kind));
    default:
      throw noSuchKind('option of neighbour discovery', option);
  }
}

function numbered(number: number, data: Uint8Array): Uint8Array {
  const fields = new Fields(2);
  fields.u8(0, number, 'option number');
  fields.u8(1, inUnits(2 + data.length, 8, 'a neighbour discovery option'), 'option length');
  return concat(fields.bytes, data);
}

/** Undefined where the type is none of neighbour discovery, or the bytes are too few. `complete`: no option is cut off. */
export function decodeNdp(type: number, body: Uint8Array): { message: NdpMessage; complete: boolean } | undefined {
  const size = { 133: 4, 134: 12, 135: 20, 136: 20, 137: 36 }[type];
  if (size === undefined || body.length < size) return undefined;
  const { options, complete } = decodeOptions(body.subarray(size));
  return { message: decodeFixed(type, body, options), complete };
}

function decodeFixed(type: number, body: Uint8Array, options: NdpOption[]): NdpMessage {
  const view = viewOf(body);
  const word = view.getUint32(0);
  const target = ipv6Text(body.subarray(4, 20));
  if (type === NDP_TYPE['router-solicitation']) return { kind: 'router-solicitation', reserved: word, options };
  if (type === NDP_TYPE['router-advertisement'])
    return {
      kind: 'router-advertisement',
      hopLimit: view.getUint8(0),
      managed: (view.getUint8(1) & 0x80) !== 0,
      otherConfiguration: (view.getUint8(1) & 0x40) !== 0,
      moreFlags: view.getUint8(1) & 0x3f,
      routerLifetime: view.getUint16(2),
      reachableTime: view.getUint32(4),
      retransTimer: view.getUint32(8),
      options,
    };
  if (type === NDP_TYPE['neighbor-solicitation'])
    return { kind: 'neighbor-solicitation', reserved: word, target, options };
  if (type === NDP_TYPE['neighbor-advertisement'])
    return {
      kind: 'neighbor-advertisement',
      router: word >>> 31 === 1,
      solicited: ((word >>> 30) & 1) === 1,
      override: ((word >>> 29) & 1) === 1,
      reserved: word & 0x1fffffff,
      target,
      options,
    };
  return { kind: 'redirect', reserved: word, target, destination: ipv6Text(body.subarray(20, 36)), options };
}

function decodeOptions(bytes: Uint8Array): { options: NdpOption[]; complete: boolean } {
  const options: NdpOption[] = [];
  for (let at = 0; at < bytes.length; ) {
    const size = 8 * (bytes[at + 1] ?? 0);
    if (size === 0 || at + size > bytes.length)
      return { options: [...options, { kind: 'raw', data: copy(bytes.subarray(at)) }], complete: false };
    options.push(decodeOption(copy(bytes.subarray(at, at + size))));
    at += size;
  }
  return { options, complete: true };
}

function decodeOption(bytes: Uint8Array): NdpOption {
  const number = bytes[0] ?? 0;
  const known = knownOption(number, bytes);
  // reserved bits that a known option has no name for
  if (known && Buffer.compare(encodeOption(known), bytes) === 0) return known;
  return { kind: 'unknown', number, data: bytes.subarray(2) };
}

function knownOption(number: number, bytes: Uint8Array): NdpOption | undefined {
  const view = viewOf(bytes);
  if (number === OPTION['source-link-address'] && bytes.length === 8)
    return { kind: 'source-link-address', mac: macText(bytes.subarray(2)) };
  if (number === OPTION['target-link-address'] && bytes.length === 8)
    return { kind: 'target-link-address', mac: macText(bytes.subarray(2)) };
  if (number === OPTION.mtu && bytes.length === 8) return { kind: 'mtu', mtu: view.getUint32(4) };
  if (number === OPTION.prefix && bytes.length === 32)
    return {
      kind: 'prefix',
      prefix: ipv6Text(bytes.subarray(16)),
      prefixLength: view.getUint8(2),
      onLink: (view.getUint8(3) & 0x80) !== 0,
      autonomous: (view.getUint8(3) & 0x40) !== 0,
      validLifetime: view.getUint32(4),
      preferredLifetime: view.getUint32(8),
    };
  return undefined;
}
