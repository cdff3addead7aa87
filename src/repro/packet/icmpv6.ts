import { checksumProblem, checksumValue, onesSum, pseudoHeaderSum } from './checksum.js';
import { type DecodeContext, type Decoded, type EncodeContext, Malformed } from './codec.js';
import type { Draft, FieldsOf } from './draft.js';
import { concat, Fields, viewOf } from './fields.js';
import {
  decodeNdp,
  encodeNdp,
  NDP_TYPE,
  type NdpMessage,
  type NeighborAdvertisement,
  type NeighborSolicitation,
  type RouterAdvertisement,
  type RouterSolicitation,
} from './ndp.js';
import { PROTOCOL } from './protocols.js';

/** What is behind the checksum, by what it means for the type. */
export type Icmpv6Message =
  /** Echo request (128) and reply (129). */
  | { kind: 'echo'; id: number; sequence: number }
  /** Packet too big (2): bytes. */
  | { kind: 'mtu'; mtu: number }
  /** Parameter problem (4): the byte that is wrong, 32 bits. */
  | { kind: 'pointer'; pointer: number }
  /** Neighbour discovery (133 to 137); its options are all that follows. */
  | NdpMessage
  /** All others: 32 bits. */
  | { kind: 'unused'; value: number };

/** ICMPv6 (RFC 4443). What follows, for example the packet that an error quotes, is a payload behind it. */
export interface Icmpv6 {
  kind: 'icmpv6';
  type: number;
  code: number;
  checksum: number;
  message: Icmpv6Message;
}
export type Icmpv6Draft = Draft<Icmpv6, 'type'>;

export function icmpv6(fields: FieldsOf<Icmpv6Draft>): Icmpv6Draft {
  return { kind: 'icmpv6', ...fields };
}

/** An echo request, or the reply to it. */
export function icmpv6Echo({ id = 0, sequence = 0, reply = false } = {}): Icmpv6Draft {
  return { kind: 'icmpv6', type: reply ? ECHO_REPLY : ECHO_REQUEST, message: { kind: 'echo', id, sequence } };
}

type FieldsFor<M extends NdpMessage> = Partial<Omit<M, 'kind' | 'target'>>;

export function routerSolicitation(fields: FieldsFor<RouterSolicitation> = {}): Icmpv6Draft {
  const message: NdpMessage = { kind: 'router-solicitation', reserved: 0, options: [], ...fields };
  return { kind: 'icmpv6', type: NDP_TYPE[message.kind], message };
}

export function routerAdvertisement(fields: FieldsFor<RouterAdvertisement> = {}): Icmpv6Draft {
  const message: NdpMessage = {
    kind: 'router-advertisement',
    hopLimit: 0,
    managed: false,
    otherConfiguration: false,
    moreFlags: 0,
    routerLifetime: 0,
    reachableTime: 0,
    retransTimer: 0,
    options: [],
    ...fields,
  };
  return { kind: 'icmpv6', type: NDP_TYPE[message.kind], message };
}

export function neighborSolicitation(target: string, fields: FieldsFor<NeighborSolicitation> = {}): Icmpv6Draft {
  const message: NdpMessage = { kind: 'neighbor-solicitation', reserved: 0, target, options: [], ...fields };
  return { kind: 'icmpv6', type: NDP_TYPE[message.kind], message };
}

export function neighborAdvertisement(target: string, fields: FieldsFor<NeighborAdvertisement> = {}): Icmpv6Draft {
  const message: NdpMessage = {
    kind: 'neighbor-advertisement',
    router: false,
    solicited: false,
    override: false,
    reserved: 0,
    target,
    options: [],
    ...fields,
  };
  return { kind: 'icmpv6', type: NDP_TYPE[message.kind], message };
}

const PACKET_TOO_BIG = 2;
const PARAMETER_PROBLEM = 4;
const ECHO_REQUEST = 128;
const ECHO_REPLY = 129;

function encodeMessage(message: Icmpv6Message): Uint8Array {
  const fields = new Fields(4);
  switch (message.kind) {
    case 'echo':
      fields.u16(0, message.id, 'icmpv6 id');
      fields.u16(2, message.sequence, 'icmpv6 sequence');
      break;
    case 'mtu':
      fields.u32(0, message.mtu, 'icmpv6 mtu');
      break;
    case 'pointer':
      fields.u32(0, message.pointer, 'icmpv6 pointer');
      break;
    case 'unused':
      fields.u32(0, message.value, 'icmpv6 rest');
      break;
    default:
      return encodeNdp(message);
  }
  return fields.bytes;
}

function decodeMessage(
  type: number,
  body: Uint8Array,
): { message: Icmpv6Message; content: Uint8Array; complete: boolean } {
  const ndp = decodeNdp(type, body);
  if (ndp) return { ...ndp, content: new Uint8Array(0) };
  const view = viewOf(body);
  const value = view.getUint32(0);
  const content = body.subarray(4);
  if (type === ECHO_REQUEST || type === ECHO_REPLY)
    return { message: { kind: 'echo', id: value >>> 16, sequence: value & 0xffff }, content, complete: true };
  if (type === PACKET_TOO_BIG) return { message: { kind: 'mtu', mtu: value }, content, complete: true };
  if (type === PARAMETER_PROBLEM) return { message: { kind: 'pointer', pointer: value }, content, complete: true };
  return { message: { kind: 'unused', value }, content, complete: true };
}

export function encodeIcmpv6(layer: Icmpv6Draft, { content, ends }: EncodeContext): Uint8Array {
  const fields = new Fields(4);
  fields.u8(0, layer.type, 'icmpv6.type');
  fields.u8(1, layer.code ?? 0, 'icmpv6.code');
  const message = encodeMessage(layer.message ?? { kind: 'unused', value: 0 });
  const whole = concat(fields.bytes, message, content);
  const start = ends ? pseudoHeaderSum(ends, PROTOCOL.icmpv6, whole.length) : 0;
  fields.u16(2, checksumValue(layer.checksum, ~onesSum(whole, start) & 0xffff), 'icmpv6.checksum');
  return concat(fields.bytes, message, content);
}

export function decodeIcmpv6(bytes: Uint8Array, context: DecodeContext): Decoded | Malformed {
  if (bytes.length < 8) return new Malformed(`an ICMPv6 header has 8 bytes, not ${bytes.length}`);
  const view = viewOf(bytes);
  const [type, code, checksum] = [view.getUint8(0), view.getUint8(1), view.getUint16(2)];
  const problems: NonNullable<Decoded['problems']> = [];
  if (context.ends && !context.partial && !context.checksumPending) {
    const wrong = checksumProblem(bytes, checksum, { ends: context.ends, protocol: PROTOCOL.icmpv6 });
    if (wrong) problems.push(wrong);
  }
  const { message, content, complete } = decodeMessage(type, bytes.subarray(4));
  if (!complete && !context.partial) problems.push({ name: 'bad-option', text: 'an option is cut off' });
  return { layer: { kind: 'icmpv6', type, code, checksum, message }, content, next: 'payload', problems };
}
