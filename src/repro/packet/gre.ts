import { type Checksum, checksumProblem, checksumValue, onesSum } from './checksum.js';
import { type DecodeContext, type Decoded, type EncodeContext, Malformed } from './codec.js';
import type { Draft, FieldsOf } from './draft.js';
import { concat, Fields, packBits, viewOf } from './fields.js';
import { ETHERTYPE, ethertypeOf, layerOfEthertype } from './protocols.js';

/** GRE (RFC 2784, RFC 2890). The flags say which of checksum, key and sequence number are there. */
export interface Gre {
  kind: 'gre';
  /** Undefined: there is none. */
  checksum: number | undefined;
  /** 16 bits behind the checksum. */
  reservedOffset: number;
  /** 32 bits; undefined: there is none. */
  key: number | undefined;
  sequence: number | undefined;
  /** The flag bits but those for the fields above and the version: bit 1 (routing) and bits 4 to 12, as in the word. */
  moreFlags: number;
  version: number;
  /** EtherType of what follows. Default: that of the next layer, 0x6558 before an Ethernet layer. */
  protocol: number;
}
export type GreDraft = Draft<Gre>;

export function gre(fields: FieldsOf<GreDraft> = {}): GreDraft {
  return { kind: 'gre', ...fields };
}

const CHECKSUM = 0x8000;
const ROUTING = 0x4000;
const KEY = 0x2000;
const SEQUENCE = 0x1000;
const VERSION = 0x0007;

export function encodeGre(layer: GreDraft, { content, following }: EncodeContext): Uint8Array {
  const moreFlags = layer.moreFlags ?? 0;
  if (moreFlags & (CHECKSUM | KEY | SEQUENCE | VERSION))
    throw new RangeError(`gre.moreFlags has bits of other fields: 0x${moreFlags.toString(16)}`);
  const withChecksum = layer.checksum !== undefined;
  const flags =
    (withChecksum ? CHECKSUM : 0) |
    (layer.key !== undefined ? KEY : 0) |
    (layer.sequence !== undefined ? SEQUENCE : 0) |
    packBits([layer.version ?? 0, 3, 'gre.version']);
  const fields = new Fields(
    4 + 4 * (Number(withChecksum) + Number((flags & KEY) > 0) + Number((flags & SEQUENCE) > 0)),
  );
  fields.u16(0, flags | moreFlags, 'gre.moreFlags');
  fields.u16(2, layer.protocol ?? ethertypeOf(following), 'gre.protocol');
  let at = withChecksum ? 8 : 4;
  if (withChecksum) fields.u16(6, layer.reservedOffset ?? 0, 'gre.reservedOffset');
  if (layer.key !== undefined) {
    fields.u32(at, layer.key, 'gre.key');
    at += 4;
  }
  if (layer.sequence !== undefined) fields.u32(at, layer.sequence, 'gre.sequence');
  if (withChecksum) {
    const computed = ~onesSum(concat(fields.bytes, content)) & 0xffff;
    fields.u16(4, checksumValue(layer.checksum as Checksum, computed), 'gre.checksum');
  }
  return concat(fields.bytes, content);
}

export function decodeGre(bytes: Uint8Array, context: DecodeContext): Decoded | Malformed {
  if (bytes.length < 4) return new Malformed(`a GRE header has 4 bytes at least, not ${bytes.length}`);
  const view = viewOf(bytes);
  const flags = view.getUint16(0);
  if (flags & VERSION || flags & ROUTING)
    return new Malformed(flags & ROUTING ? 'it has routing fields' : `the version is ${flags & VERSION}, not 0`);
  const [withChecksum, withKey, withSequence] = [flags & CHECKSUM, flags & KEY, flags & SEQUENCE].map((bit) => bit > 0);
  const headerLength = 4 + 4 * [withChecksum, withKey, withSequence].filter(Boolean).length;
  if (bytes.length < headerLength) return new Malformed(`a header of ${headerLength} bytes, in ${bytes.length}`);
  const protocol = view.getUint16(2);
  const keyAt = withChecksum ? 8 : 4;
  const checksum = withChecksum ? view.getUint16(4) : undefined;
  const wrong =
    checksum === undefined || context.partial || context.checksumPending
      ? undefined
      : checksumProblem(bytes, checksum, undefined);
  return {
    layer: {
      kind: 'gre',
      checksum,
      reservedOffset: withChecksum ? view.getUint16(6) : 0,
      key: withKey ? view.getUint32(keyAt) : undefined,
      sequence: withSequence ? view.getUint32(keyAt + (withKey ? 4 : 0)) : undefined,
      moreFlags: flags & ~(CHECKSUM | KEY | SEQUENCE | VERSION),
      version: 0,
      protocol,
    },
    content: bytes.subarray(headerLength),
    next: protocol === ETHERTYPE.ethernet ? 'ethernet' : layerOfEthertype(protocol),
    problems: wrong ? [wrong] : [],
  };
}
