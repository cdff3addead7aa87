import { type Decoded, type EncodeContext, Malformed } from './codec.js';
import type { Draft, FieldsOf } from './draft.js';
import { concat, Fields, packBits, viewOf } from './fields.js';

/** VXLAN (RFC 7348): behind UDP to port 4789; an Ethernet layer follows. */
export interface Vxlan {
  kind: 'vxlan';
  /** Eight bits; 0x08, the default, says that the identifier is valid. */
  flags: number;
  /** 24 bits. */
  reserved: number;
  /** The network identifier, 24 bits. */
  vni: number;
  /** The last eight bits. */
  reservedLast: number;
}
export type VxlanDraft = Draft<Vxlan, 'vni'>;

export const VXLAN_PORT = 4789;
/** The port that Linux takes where none is given (drivers/net/vxlan). */
export const VXLAN_PORT_LINUX = 8472;

export function vxlan(fields: FieldsOf<VxlanDraft>): VxlanDraft {
  return { kind: 'vxlan', ...fields };
}

export function encodeVxlan(layer: VxlanDraft, { content }: EncodeContext): Uint8Array {
  const fields = new Fields(8);
  fields.u32(
    0,
    packBits([layer.flags ?? 0x08, 8, 'vxlan.flags'], [layer.reserved ?? 0, 24, 'vxlan.reserved']),
    'vxlan',
  );
  fields.u32(4, packBits([layer.vni, 24, 'vxlan.vni'], [layer.reservedLast ?? 0, 8, 'vxlan.reservedLast']), 'vxlan');
  return concat(fields.bytes, content);
}

export function decodeVxlan(bytes: Uint8Array): Decoded | Malformed {
  if (bytes.length < 8) return new Malformed(`a VXLAN header has 8 bytes, not ${bytes.length}`);
  const [first, second] = [viewOf(bytes).getUint32(0), viewOf(bytes).getUint32(4)];
  return {
    layer: {
      kind: 'vxlan',
      flags: first >>> 24,
      reserved: first & 0xffffff,
      vni: second >>> 8,
      reservedLast: second & 0xff,
    },
    content: bytes.subarray(8),
    next: 'ethernet',
  };
}
