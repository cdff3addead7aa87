import { createHash } from 'node:crypto';
import { parseTcpFlags, tcpFlagsText } from '../../decode/names.js';
import { checksumProblem, checksumValue, type Endpoints, onesSum, pseudoHeader, pseudoHeaderSum } from './checksum.js';
import { type DecodeContext, type Decoded, type EncodeContext, Malformed } from './codec.js';
import type { Draft, FieldsOf } from './draft.js';
import { concat, Fields, inUnits, packBits, padded, viewOf } from './fields.js';
import { PROTOCOL } from './protocols.js';
import { decodeTcpOptions, encodeTcpOptions, type TcpOption, type TcpOptionDraft } from './tcp-options.js';

export interface Tcp {
  kind: 'tcp';
  sourcePort: number;
  destinationPort: number;
  seq: number;
  ack: number;
  /** Letters of S A R P F U E C, in this order where they are parsed. */
  flags: string;
  /** The four bits before the flags; the lowest is AE (accurate ECN). */
  reserved: number;
  /** As in the header, not scaled. */
  window: number;
  checksum: number;
  urgentPointer: number;
  /** Padded with end-of-options to a multiple of four bytes. */
  options: readonly TcpOption[];
  /** Bytes that the field says, a multiple of 4. Default: what the header has. */
  headerLength: number;
}
export type TcpDraft = Omit<Draft<Tcp, 'sourcePort' | 'destinationPort'>, 'options'> & {
  options?: readonly TcpOptionDraft[] | undefined;
};

/** Without `flags` a segment has none. */
export function tcp(fields: FieldsOf<TcpDraft>): TcpDraft {
  return { kind: 'tcp', ...fields };
}

/** RFC 2385: over pseudo header, header without options and with checksum 0, data, key. */
function md5Digest(ends: Endpoints, segment: Uint8Array, headerBytes: number, key: string | Uint8Array): Uint8Array {
  const header = segment.slice(0, 20);
  header.fill(0, 16, 18);
  return createHash('md5')
    .update(pseudoHeader(ends, PROTOCOL.tcp, segment.length))
    .update(header)
    .update(segment.subarray(headerBytes))
    .update(key)
    .digest();
}

export function encodeTcp(layer: TcpDraft, { content, ends }: EncodeContext): Uint8Array {
  const { bytes, md5At } = encodeTcpOptions(layer.options ?? []);
  const options = padded(bytes, 4);
  const size = 20 + options.length;
  const flags = parseTcpFlags(layer.flags ?? '');
  if (layer.flags !== undefined && new Set(layer.flags.toUpperCase()).size !== layer.flags.length)
    throw new RangeError(`tcp.flags has a letter twice: '${layer.flags}'`);
  if (flags === null) throw new RangeError(`tcp.flags must be letters of SARPFUEC, not '${layer.flags}'`);
  const fields = new Fields(size);
  fields.u16(0, layer.sourcePort, 'tcp.sourcePort');
  fields.u16(2, layer.destinationPort, 'tcp.destinationPort');
  fields.u32(4, layer.seq ?? 0, 'tcp.seq');
  fields.u32(8, layer.ack ?? 0, 'tcp.ack');
  const words = inUnits(layer.headerLength ?? size, 4, 'tcp.headerLength');
  fields.u8(12, packBits([words, 4, 'tcp.headerLength (in words)'], [layer.reserved ?? 0, 4, 'tcp.reserved']), 'tcp');
  fields.u8(13, flags, 'tcp.flags');
  fields.u16(14, layer.window ?? 65535, 'tcp.window');
  fields.u16(18, layer.urgentPointer ?? 0, 'tcp.urgentPointer');
  fields.put(20, options);

  const segment = concat(fields.bytes, content);
  for (const { at, key } of md5At) {
    if (!ends) throw new RangeError('an MD5 digest takes the addresses of an IP header');
    segment.set(md5Digest(ends, segment, size, key), 20 + at);
  }
  const start = ends ? pseudoHeaderSum(ends, PROTOCOL.tcp, segment.length) : 0;
  const checksum = new Fields(2);
  checksum.u16(0, checksumValue(layer.checksum, ~onesSum(segment, start) & 0xffff), 'tcp.checksum');
  segment.set(checksum.bytes, 16);
  return segment;
}

export function decodeTcp(bytes: Uint8Array, context: DecodeContext): Decoded | Malformed {
  if (bytes.length < 20) return new Malformed(`a TCP header has 20 bytes at least, not ${bytes.length}`);
  const view = viewOf(bytes);
  const headerLength = (view.getUint8(12) >> 4) * 4;
  if (headerLength < 20 || headerLength > bytes.length)
    return new Malformed(`a header of ${headerLength} bytes, in ${bytes.length}`);
  const checksum = view.getUint16(16);
  const { options, complete } = decodeTcpOptions(bytes.subarray(20, headerLength));
  const problems: NonNullable<Decoded['problems']> = [];
  if (context.ends && !context.partial && !context.checksumPending) {
    const wrong = checksumProblem(bytes, checksum, { ends: context.ends, protocol: PROTOCOL.tcp });
    if (wrong) problems.push(wrong);
  }
  if (!complete) problems.push({ name: 'bad-option', text: 'an option is cut off' });
  return {
    layer: {
      kind: 'tcp',
      sourcePort: view.getUint16(0),
      destinationPort: view.getUint16(2),
      seq: view.getUint32(4),
      ack: view.getUint32(8),
      flags: tcpFlagsText(view.getUint8(13)),
      reserved: view.getUint8(12) & 15,
      window: view.getUint16(14),
      checksum,
      urgentPointer: view.getUint16(18),
      options,
      headerLength,
    },
    content: bytes.subarray(headerLength),
    next: 'payload',
    problems,
  };
}

/** The option of that kind, the first where there are several. */
export function tcpOption<K extends TcpOption['kind']>(
  layer: Tcp,
  kind: K,
): Extract<TcpOption, { kind: K }> | undefined {
  return layer.options.find((option): option is Extract<TcpOption, { kind: K }> => option.kind === kind);
}
