import { type DecodeContext, type Decoded, type EncodeContext, Malformed } from './codec.js';
import type { Draft, FieldsOf } from './draft.js';
import { bytesOf, concat, copy, Fields, ipv6Bytes, ipv6Text, packBits, viewOf } from './fields.js';
import { layerOfProtocol, PROTOCOL, protocolOf } from './protocols.js';

export interface Ipv6 {
  kind: 'ipv6';
  source: string;
  destination: string;
  /** Differentiated services code point, 0 to 63. */
  dscp: number;
  /** Explicit congestion notification, 0 to 3. */
  ecn: number;
  /** 20 bits. */
  flowLabel: number;
  /** Default: that of the next layer. */
  nextHeader: number;
  hopLimit: number;
  version: number;
  /** Bytes behind this header, extension headers included. Default: up to the trailer. */
  payloadLength: number;
  /** What follows behind the packet's end, as Ethernet's padding does. */
  trailer: Uint8Array;
}
export type Ipv6Draft = Draft<Ipv6, 'source' | 'destination'>;

export function ipv6(fields: FieldsOf<Ipv6Draft>): Ipv6Draft {
  return { kind: 'ipv6', ...fields };
}

export function encodeIpv6(layer: Ipv6Draft, { content, following }: EncodeContext): Uint8Array {
  const fields = new Fields(40);
  const first = packBits(
    [layer.version ?? 6, 4, 'ipv6.version'],
    [layer.dscp ?? 0, 6, 'ipv6.dscp'],
    [layer.ecn ?? 0, 2, 'ipv6.ecn'],
    [layer.flowLabel ?? 0, 20, 'ipv6.flowLabel'],
  );
  fields.u32(0, first, 'ipv6');
  fields.u16(4, layer.payloadLength ?? content.length, 'ipv6.payloadLength');
  fields.u8(6, layer.nextHeader ?? protocolOf(following), 'ipv6.nextHeader');
  fields.u8(7, layer.hopLimit ?? 64, 'ipv6.hopLimit');
  fields.put(8, ipv6Bytes(layer.source, 'ipv6.source'));
  fields.put(24, ipv6Bytes(layer.destination, 'ipv6.destination'));
  return concat(fields.bytes, content, bytesOf(layer.trailer ?? new Uint8Array(0), 'ipv6.trailer'));
}

export function decodeIpv6(bytes: Uint8Array, context: DecodeContext): Decoded | Malformed {
  if (bytes.length < 40) return new Malformed(`an IPv6 header has 40 bytes, not ${bytes.length}`);
  const view = viewOf(bytes);
  const first = view.getUint32(0);
  const version = first >>> 28;
  if (version !== 6) return new Malformed(`the version is ${version}, not 6`);
  const payloadLength = view.getUint16(4);
  const nextHeader = view.getUint8(6);
  // 0 before hop-by-hop options: a jumbogram (RFC 2675), to the end of what is there
  const end = payloadLength === 0 && nextHeader === PROTOCOL.hopByHop ? bytes.length : 40 + payloadLength;
  const problems: NonNullable<Decoded['problems']> = [];
  if (end > bytes.length && !context.partial)
    problems.push({ name: 'truncated', text: `${end} bytes, of which ${bytes.length} are there` });
  return {
    layer: {
      kind: 'ipv6',
      source: ipv6Text(bytes.subarray(8, 24)),
      destination: ipv6Text(bytes.subarray(24, 40)),
      dscp: (first >>> 22) & 63,
      ecn: (first >>> 20) & 3,
      flowLabel: first & 0xfffff,
      nextHeader,
      hopLimit: view.getUint8(7),
      version,
      payloadLength,
      trailer: copy(bytes.subarray(end)),
    },
    content: bytes.subarray(40, end),
    next: layerOfProtocol(nextHeader, 6),
    problems,
    inner: {
      ends: { source: copy(bytes.subarray(8, 24)), destination: copy(bytes.subarray(24, 40)) },
      partial: context.partial || end > bytes.length,
    },
  };
}
