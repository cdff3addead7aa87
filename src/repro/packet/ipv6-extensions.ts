import type { Endpoints } from './checksum.js';
import { type DecodeContext, type Decoded, type EncodeContext, Malformed } from './codec.js';
import type { Draft, FieldsOf } from './draft.js';
import { bytesOf, concat, copy, Fields, inUnits, ipv6Bytes, packBits, viewOf } from './fields.js';
import { type AnyIpOption, decodeOptions, encodeOptions, IPV6_OPTIONS } from './ip-options.js';
import { layerOfProtocol, protocolOf } from './protocols.js';

/** Hop-by-hop or destination options (RFC 8200). */
export interface Ipv6Options {
  kind: 'hop-by-hop' | 'destination-options';
  /** Default: that of the next layer. */
  nextHeader: number;
  /** Padded with Pad1 or PadN to a multiple of eight bytes, header included. Type 0 (Pad1) has no data. */
  options: readonly AnyIpOption[];
  /** Bytes that the length field stands for, a multiple of 8. Default: what the header has. */
  headerLength: number;
}
export type Ipv6OptionsDraft = Draft<Ipv6Options>;

/** A routing header (RFC 8200, RFC 6275, RFC 8754). */
export interface Ipv6Routing {
  kind: 'routing';
  nextHeader: number;
  /** 0 (deprecated, RFC 5095), 2 (mobile IPv6), 4 (segment routing), ... */
  type: number;
  segmentsLeft: number;
  /** All behind the segments left: for types 0 and 2 four reserved bytes and the addresses. 8 n + 4 bytes. */
  data: Uint8Array;
  headerLength: number;
}
export type Ipv6RoutingDraft = Draft<Ipv6Routing>;

/** A fragment header (RFC 8200). */
export interface Ipv6Fragment {
  kind: 'fragment';
  nextHeader: number;
  /** The byte that was reserved for a length. */
  reserved: number;
  /** Bytes, a multiple of 8. */
  fragmentOffset: number;
  /** Two bits. */
  reservedBits: number;
  moreFragments: boolean;
  /** 32 bits. */
  id: number;
}
export type Ipv6FragmentDraft = Draft<Ipv6Fragment>;

export function hopByHop(fields: FieldsOf<Ipv6OptionsDraft> = {}): Ipv6OptionsDraft {
  return { kind: 'hop-by-hop', ...fields };
}

export function destinationOptions(fields: FieldsOf<Ipv6OptionsDraft> = {}): Ipv6OptionsDraft {
  return { kind: 'destination-options', ...fields };
}

export function routing(fields: FieldsOf<Ipv6RoutingDraft>): Ipv6RoutingDraft {
  return { kind: 'routing', ...fields };
}

/** What a routing header of type 0 or 2 has behind the segments left. */
export function routingAddresses(addresses: readonly string[]): Uint8Array {
  return concat(new Uint8Array(4), ...addresses.map((address) => ipv6Bytes(address, 'routing address')));
}

export function ipv6Fragment(fields: FieldsOf<Ipv6FragmentDraft>): Ipv6FragmentDraft {
  return { kind: 'fragment', ...fields };
}

const ROUTING_TYPE_0 = 0;
const ROUTING_TYPE_2 = 2;
const ROUTING_SEGMENTS = 4;

/** The destination that a pseudo header has: the last hop's, for as long as there are hops left (RFC 8200, 8.1). */
export function finalEnds(ends: Endpoints | undefined, layer: Ipv6RoutingDraft): Endpoints | undefined {
  const { type = 0, segmentsLeft = 0, data = new Uint8Array(0) } = layer;
  if (!ends || segmentsLeft === 0 || data.length < 20) return ends;
  const last = Math.floor((data.length - 4) / 16) * 16 + 4;
  if (type === ROUTING_TYPE_0 || type === ROUTING_TYPE_2) return { ...ends, destination: data.slice(last - 16, last) };
  // the segments are in reverse order
  return type === ROUTING_SEGMENTS ? { ...ends, destination: data.slice(4, 20) } : ends;
}

function optionPadding(size: number): Uint8Array {
  const missing = (8 - (size % 8)) % 8;
  if (missing < 2) return new Uint8Array(missing);
  return concat(Uint8Array.of(1, missing - 2), new Uint8Array(missing - 2));
}

/** The length field: units of eight bytes beyond the first. */
function lengthUnits(bytes: number, name: string): number {
  return inUnits(bytes, 8, `${name}.headerLength`) - 1;
}

export function encodeIpv6Options(layer: Ipv6OptionsDraft, { content, following }: EncodeContext): Uint8Array {
  const options = encodeOptions(layer.options ?? [], IPV6_OPTIONS, `${layer.kind}.options`);
  const padding = optionPadding(2 + options.length);
  const size = 2 + options.length + padding.length;
  const fields = new Fields(2);
  fields.u8(0, layer.nextHeader ?? protocolOf(following), `${layer.kind}.nextHeader`);
  fields.u8(1, lengthUnits(layer.headerLength ?? size, layer.kind), `${layer.kind}.headerLength (in units)`);
  return concat(fields.bytes, options, padding, content);
}

/** The bytes of an extension header, or why there is none. */
function extension(bytes: Uint8Array): Uint8Array | Malformed {
  if (bytes.length < 8) return new Malformed(`an extension header has 8 bytes at least, not ${bytes.length}`);
  const size = 8 * ((bytes[1] ?? 0) + 1);
  return size > bytes.length ? new Malformed(`a header of ${size} bytes, in ${bytes.length}`) : bytes.subarray(0, size);
}

export function decodeIpv6Options(kind: Ipv6Options['kind'], bytes: Uint8Array): Decoded | Malformed {
  const header = extension(bytes);
  if (header instanceof Malformed) return header;
  const nextHeader = header[0] ?? 0;
  const { options, complete } = decodeOptions(header.subarray(2), IPV6_OPTIONS);
  return {
    layer: { kind, nextHeader, options, headerLength: header.length },
    content: bytes.subarray(header.length),
    next: layerOfProtocol(nextHeader, 6),
    problems: complete ? [] : [{ name: 'bad-option', text: 'an option is cut off' }],
  };
}

export function encodeRouting(layer: Ipv6RoutingDraft, { content, following }: EncodeContext): Uint8Array {
  const data = bytesOf(layer.data ?? new Uint8Array(4), 'routing.data');
  const fields = new Fields(4);
  fields.u8(0, layer.nextHeader ?? protocolOf(following), 'routing.nextHeader');
  fields.u8(1, lengthUnits(layer.headerLength ?? 4 + data.length, 'routing'), 'routing.headerLength (in units)');
  fields.u8(2, layer.type ?? ROUTING_TYPE_0, 'routing.type');
  fields.u8(3, layer.segmentsLeft ?? 0, 'routing.segmentsLeft');
  return concat(fields.bytes, data, content);
}

export function decodeRouting(bytes: Uint8Array, { ends }: DecodeContext): Decoded | Malformed {
  const header = extension(bytes);
  if (header instanceof Malformed) return header;
  const [nextHeader = 0, , type = 0, segmentsLeft = 0] = header;
  const layer: Ipv6Routing = {
    kind: 'routing',
    nextHeader,
    type,
    segmentsLeft,
    data: copy(header.subarray(4)),
    headerLength: header.length,
  };
  return {
    layer,
    content: bytes.subarray(header.length),
    next: layerOfProtocol(nextHeader, 6),
    inner: { ends: finalEnds(ends, layer) },
  };
}

export function encodeIpv6Fragment(layer: Ipv6FragmentDraft, { content, following }: EncodeContext): Uint8Array {
  const fields = new Fields(8);
  fields.u8(0, layer.nextHeader ?? protocolOf(following), 'fragment.nextHeader');
  fields.u8(1, layer.reserved ?? 0, 'fragment.reserved');
  const place = packBits(
    [inUnits(layer.fragmentOffset ?? 0, 8, 'fragment.fragmentOffset'), 13, 'fragment.fragmentOffset (in units)'],
    [layer.reservedBits ?? 0, 2, 'fragment.reservedBits'],
    [layer.moreFragments ?? false, 1, 'fragment.moreFragments'],
  );
  fields.u16(2, place, 'fragment');
  fields.u32(4, layer.id ?? 0, 'fragment.id');
  return concat(fields.bytes, content);
}

export function decodeIpv6Fragment(bytes: Uint8Array, context: DecodeContext): Decoded | Malformed {
  if (bytes.length < 8) return new Malformed(`a fragment header has 8 bytes, not ${bytes.length}`);
  const view = viewOf(bytes);
  const [nextHeader, place] = [view.getUint8(0), view.getUint16(2)];
  const [fragmentOffset, moreFragments] = [place & 0xfff8, (place & 1) !== 0];
  return {
    layer: {
      kind: 'fragment',
      nextHeader,
      reserved: view.getUint8(1),
      fragmentOffset,
      reservedBits: (place >> 1) & 3,
      moreFragments,
      id: view.getUint32(4),
    },
    content: bytes.subarray(8),
    next: fragmentOffset > 0 ? 'payload' : layerOfProtocol(nextHeader, 6),
    inner: { partial: context.partial || moreFragments || fragmentOffset > 0 },
  };
}
