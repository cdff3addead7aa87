import { checksumProblem, checksumValue, onesSum } from './checksum.js';
import { type DecodeContext, type Decoded, type EncodeContext, Malformed } from './codec.js';
import type { Draft, FieldsOf } from './draft.js';
import { concat, Fields, ipv4Bytes, ipv4Text, noSuchKind, viewOf } from './fields.js';

/** The four bytes behind the checksum, by what they mean for the type. */
export type IcmpRest =
  /** Echo (8, 0) and timestamp (13, 14). */
  | { kind: 'echo'; id: number; sequence: number }
  /** Fragmentation needed (3, code 4): next hop's MTU, bytes; `unused` 16 bits. */
  | { kind: 'mtu'; mtu: number; unused: number }
  /** Redirect (5). */
  | { kind: 'gateway'; gateway: string }
  /** Parameter problem (12): the byte that is wrong; `unused` 24 bits. */
  | { kind: 'pointer'; pointer: number; unused: number }
  /** All others: 32 bits. */
  | { kind: 'unused'; value: number };

/** ICMP (RFC 792). What follows, for example the packet that an error quotes, is a payload behind it. */
export interface Icmp {
  kind: 'icmp';
  type: number;
  code: number;
  checksum: number;
  rest: IcmpRest;
}
export type IcmpDraft = Draft<Icmp, 'type'>;

export function icmp(fields: FieldsOf<IcmpDraft>): IcmpDraft {
  return { kind: 'icmp', ...fields };
}

/** An echo request, or the reply to it. */
export function icmpEcho({ id = 0, sequence = 0, reply = false } = {}): IcmpDraft {
  return { kind: 'icmp', type: reply ? 0 : 8, rest: { kind: 'echo', id, sequence } };
}

const DESTINATION_UNREACHABLE = 3;
const FRAGMENTATION_NEEDED = 4;
const REDIRECT = 5;
const PARAMETER_PROBLEM = 12;
const WITH_ID = [0, 8, 13, 14];

function putRest(fields: Fields, rest: IcmpRest): void {
  switch (rest.kind) {
    case 'echo':
      fields.u16(4, rest.id, 'icmp id');
      fields.u16(6, rest.sequence, 'icmp sequence');
      break;
    case 'mtu':
      fields.u16(4, rest.unused, 'icmp unused');
      fields.u16(6, rest.mtu, 'icmp mtu');
      break;
    case 'gateway':
      fields.put(4, ipv4Bytes(rest.gateway, 'icmp gateway'));
      break;
    case 'pointer':
      fields.u32(4, rest.unused, 'icmp unused');
      fields.u8(4, rest.pointer, 'icmp pointer');
      break;
    case 'unused':
      fields.u32(4, rest.value, 'icmp rest');
      break;
    default:
      throw noSuchKind('icmp rest', rest);
  }
}

function restOf(type: number, code: number, bytes: Uint8Array): IcmpRest {
  const view = viewOf(bytes);
  if (WITH_ID.includes(type)) return { kind: 'echo', id: view.getUint16(4), sequence: view.getUint16(6) };
  if (type === DESTINATION_UNREACHABLE && code === FRAGMENTATION_NEEDED)
    return { kind: 'mtu', mtu: view.getUint16(6), unused: view.getUint16(4) };
  if (type === REDIRECT) return { kind: 'gateway', gateway: ipv4Text(bytes.subarray(4, 8)) };
  if (type === PARAMETER_PROBLEM)
    return { kind: 'pointer', pointer: view.getUint8(4), unused: view.getUint32(4) & 0xffffff };
  return { kind: 'unused', value: view.getUint32(4) };
}

export function encodeIcmp(layer: IcmpDraft, { content }: EncodeContext): Uint8Array {
  const fields = new Fields(8);
  fields.u8(0, layer.type, 'icmp.type');
  fields.u8(1, layer.code ?? 0, 'icmp.code');
  putRest(fields, layer.rest ?? { kind: 'unused', value: 0 });
  const computed = ~onesSum(concat(fields.bytes, content)) & 0xffff;
  fields.u16(2, checksumValue(layer.checksum, computed), 'icmp.checksum');
  return concat(fields.bytes, content);
}

export function decodeIcmp(bytes: Uint8Array, context: DecodeContext): Decoded | Malformed {
  if (bytes.length < 8) return new Malformed(`an ICMP header has 8 bytes, not ${bytes.length}`);
  const view = viewOf(bytes);
  const [type, code, checksum] = [view.getUint8(0), view.getUint8(1), view.getUint16(2)];
  const wrong = context.partial ? undefined : checksumProblem(bytes, checksum, undefined);
  return {
    layer: { kind: 'icmp', type, code, checksum, rest: restOf(type, code, bytes) },
    content: bytes.subarray(8),
    next: 'payload',
    problems: wrong ? [wrong] : [],
  };
}
