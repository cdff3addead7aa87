import { type Checksum, checksumProblem, checksumValue, onesSum } from './checksum.js';
import { type DecodeContext, type Decoded, type EncodeContext, Malformed } from './codec.js';
import type { Draft, FieldsOf } from './draft.js';
import { bytesOf, concat, copy, Fields, inUnits, ipv4Bytes, ipv4Text, packBits, padded, viewOf } from './fields.js';
import { type AnyIpOption, decodeOptions, encodeOptions, IPV4_OPTIONS } from './ip-options.js';
import { layerOfProtocol, protocolOf } from './protocols.js';

export interface Ipv4 {
  kind: 'ipv4';
  source: string;
  destination: string;
  /** Differentiated services code point, 0 to 63. */
  dscp: number;
  /** Explicit congestion notification, 0 to 3. */
  ecn: number;
  id: number;
  /** The first of the three flags, which must be 0 (RFC 791). */
  reservedFlag: boolean;
  dontFragment: boolean;
  moreFragments: boolean;
  /** Bytes, a multiple of 8. */
  fragmentOffset: number;
  ttl: number;
  /** Default: that of the next layer. */
  protocol: number;
  checksum: number;
  /** Padded with end-of-options to a multiple of four bytes. */
  options: readonly AnyIpOption[];
  version: number;
  /** Bytes that the field says, a multiple of 4. Default: what the header has. */
  headerLength: number;
  /** Bytes, header included. Default: up to the trailer. */
  totalLength: number;
  /** What follows behind the packet's end, as Ethernet's padding does. */
  trailer: Uint8Array;
}
export type Ipv4Draft = Draft<Ipv4, 'source' | 'destination'>;

export function ipv4(fields: FieldsOf<Ipv4Draft>): Ipv4Draft {
  return { kind: 'ipv4', ...fields };
}

export function encodeIpv4(layer: Ipv4Draft, { content, following }: EncodeContext): Uint8Array {
  const options = padded(encodeOptions(layer.options ?? [], IPV4_OPTIONS, 'ipv4.options'), 4);
  const size = 20 + options.length;
  const headerWords = inUnits(layer.headerLength ?? size, 4, 'ipv4.headerLength');
  const fields = new Fields(size);
  const first = packBits([layer.version ?? 4, 4, 'ipv4.version'], [headerWords, 4, 'ipv4.headerLength (in words)']);
  fields.u8(0, first, 'ipv4');
  fields.u8(1, packBits([layer.dscp ?? 0, 6, 'ipv4.dscp'], [layer.ecn ?? 0, 2, 'ipv4.ecn']), 'ipv4');
  fields.u16(2, layer.totalLength ?? size + content.length, 'ipv4.totalLength');
  fields.u16(4, layer.id ?? 0, 'ipv4.id');
  const fragment = packBits(
    [layer.reservedFlag ?? false, 1, 'ipv4.reservedFlag'],
    [layer.dontFragment ?? false, 1, 'ipv4.dontFragment'],
    [layer.moreFragments ?? false, 1, 'ipv4.moreFragments'],
    [inUnits(layer.fragmentOffset ?? 0, 8, 'ipv4.fragmentOffset'), 13, 'ipv4.fragmentOffset (in units)'],
  );
  fields.u16(6, fragment, 'ipv4');
  fields.u8(8, layer.ttl ?? 64, 'ipv4.ttl');
  fields.u8(9, layer.protocol ?? protocolOf(following), 'ipv4.protocol');
  fields.put(12, ipv4Bytes(layer.source, 'ipv4.source'));
  fields.put(16, ipv4Bytes(layer.destination, 'ipv4.destination'));
  fields.put(20, options);
  const computed = ~onesSum(fields.bytes) & 0xffff;
  fields.u16(10, checksumValue(layer.checksum as Checksum | undefined, computed), 'ipv4.checksum');
  return concat(fields.bytes, content, bytesOf(layer.trailer ?? new Uint8Array(0), 'ipv4.trailer'));
}

export function decodeIpv4(bytes: Uint8Array, context: DecodeContext): Decoded | Malformed {
  if (bytes.length < 20) return new Malformed(`an IPv4 header has 20 bytes at least, not ${bytes.length}`);
  const view = viewOf(bytes);
  const [version, headerLength] = [view.getUint8(0) >> 4, (view.getUint8(0) & 15) * 4];
  if (version !== 4) return new Malformed(`the version is ${version}, not 4`);
  if (headerLength < 20 || headerLength > bytes.length)
    return new Malformed(`a header of ${headerLength} bytes, in ${bytes.length}`);
  const totalLength = view.getUint16(2);
  // Larger than the field can tell (GSO): the kernel writes 0 then (include/linux/ip.h, iph_totlen)
  const end = totalLength === 0 ? bytes.length : totalLength;
  if (end < headerLength) return new Malformed(`a total length of ${totalLength} bytes, less than the header's`);
  const fragment = view.getUint16(6);
  const { options, complete } = decodeOptions(bytes.subarray(20, headerLength), IPV4_OPTIONS);
  const [moreFragments, fragmentOffset] = [(fragment & 0x2000) !== 0, (fragment & 0x1fff) * 8];
  const protocol = view.getUint8(9);
  const truncated = end > bytes.length && !context.partial;

  const problems: NonNullable<Decoded['problems']> = [];
  const wrong = checksumProblem(bytes.subarray(0, headerLength), view.getUint16(10), undefined);
  if (wrong) problems.push(wrong);
  if (!complete) problems.push({ name: 'bad-option', text: 'an option is cut off' });
  if (truncated) problems.push({ name: 'truncated', text: `${end} bytes, of which ${bytes.length} are there` });
  return {
    layer: {
      kind: 'ipv4',
      source: ipv4Text(bytes.subarray(12, 16)),
      destination: ipv4Text(bytes.subarray(16, 20)),
      dscp: view.getUint8(1) >> 2,
      ecn: view.getUint8(1) & 3,
      id: view.getUint16(4),
      reservedFlag: (fragment & 0x8000) !== 0,
      dontFragment: (fragment & 0x4000) !== 0,
      moreFragments,
      fragmentOffset,
      ttl: view.getUint8(8),
      protocol,
      checksum: view.getUint16(10),
      options,
      version,
      headerLength,
      totalLength,
      trailer: copy(bytes.subarray(end)),
    },
    content: bytes.subarray(headerLength, end),
    next: fragmentOffset > 0 ? 'payload' : layerOfProtocol(protocol, 4),
    problems,
    inner: {
      ends: { source: copy(bytes.subarray(12, 16)), destination: copy(bytes.subarray(16, 20)) },
      partial: context.partial || moreFragments || fragmentOffset > 0 || end > bytes.length,
    },
  };
}
