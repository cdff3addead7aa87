import { checksumProblem, checksumValue, onesSum, pseudoHeaderSum } from './checksum.js';
import { type DecodeContext, type Decoded, type EncodeContext, Malformed } from './codec.js';
import type { Draft, FieldsOf } from './draft.js';
import { bytesOf, concat, copy, Fields, viewOf } from './fields.js';
import { PROTOCOL } from './protocols.js';

export interface Udp {
  kind: 'udp';
  sourcePort: number;
  destinationPort: number;
  /** Bytes, header included. Default: up to the trailer. */
  length: number;
  /** 0 says that there is none; a computed 0 is sent as 0xffff (RFC 768). */
  checksum: number;
  /** What follows in the IP packet behind the datagram's end. */
  trailer: Uint8Array;
}
export type UdpDraft = Draft<Udp, 'sourcePort' | 'destinationPort'>;

export function udp(fields: FieldsOf<UdpDraft>): UdpDraft {
  return { kind: 'udp', ...fields };
}

export function encodeUdp(layer: UdpDraft, { content, ends }: EncodeContext): Uint8Array {
  const fields = new Fields(8);
  fields.u16(0, layer.sourcePort, 'udp.sourcePort');
  fields.u16(2, layer.destinationPort, 'udp.destinationPort');
  fields.u16(4, layer.length ?? 8 + content.length, 'udp.length');
  const datagram = concat(fields.bytes, content);
  const start = ends ? pseudoHeaderSum(ends, PROTOCOL.udp, datagram.length) : 0;
  const computed = ~onesSum(datagram, start) & 0xffff || 0xffff;
  fields.u16(6, checksumValue(layer.checksum, computed), 'udp.checksum');
  return concat(fields.bytes, content, bytesOf(layer.trailer ?? new Uint8Array(0), 'udp.trailer'));
}

export function decodeUdp(bytes: Uint8Array, context: DecodeContext): Decoded | Malformed {
  if (bytes.length < 8) return new Malformed(`a UDP header has 8 bytes, not ${bytes.length}`);
  const view = viewOf(bytes);
  const [destinationPort, length, checksum] = [view.getUint16(2), view.getUint16(4), view.getUint16(6)];
  if (length < 8) return new Malformed(`a length of ${length} bytes, less than the header's`);
  const missing = length > bytes.length;
  const problems: NonNullable<Decoded['problems']> = [];
  if (missing && !context.partial)
    problems.push({ name: 'truncated', text: `${length} bytes, of which ${bytes.length} are there` });
  if (context.ends && !context.partial && !context.checksumPending && !missing && checksum !== 0) {
    const wrong = checksumProblem(bytes.subarray(0, length), checksum, { ends: context.ends, protocol: PROTOCOL.udp });
    if (wrong) problems.push(wrong);
  }
  return {
    layer: {
      kind: 'udp',
      sourcePort: view.getUint16(0),
      destinationPort,
      length,
      checksum,
      trailer: copy(bytes.subarray(length)),
    },
    content: bytes.subarray(8, length),
    next: context.vxlanPorts.includes(destinationPort) ? 'vxlan' : 'payload',
    problems,
    inner: { partial: context.partial || missing },
  };
}
