import { type Decoded, type EncodeContext, Malformed } from './codec.js';
import type { Draft, FieldsOf } from './draft.js';
import { concat, Fields, macBytes, macText, packBits, viewOf } from './fields.js';
import { ETHERTYPE, ethertypeOf, layerOfEthertype } from './protocols.js';

/** An Ethernet header, without frame check sequence. */
export interface Ethernet {
  kind: 'ethernet';
  /** MAC addresses as text: `02:00:00:00:00:01`. */
  source: string;
  destination: string;
  /** EtherType; below 1536 the length of an 802.3 frame. Default: that of the next layer. */
  type: number;
}
export type EthernetDraft = Draft<Ethernet>;

/** A VLAN tag: what is behind the type that announces it. */
export interface Vlan {
  kind: 'vlan';
  /** The type in front of the tag that announces it: 0x8100 (802.1Q), or 0x88a8 (802.1ad), the default of all but the last. */
  tpid: number;
  /** 0 to 4095. */
  id: number;
  /** Priority code point, 0 to 7. */
  priority: number;
  dropEligible: boolean;
  /** EtherType of what follows. Default: that of the next layer. */
  type: number;
}
export type VlanDraft = Draft<Vlan, 'id'>;

export function ethernet(fields: FieldsOf<EthernetDraft> = {}): EthernetDraft {
  return { kind: 'ethernet', ...fields };
}

export function vlan(fields: FieldsOf<VlanDraft>): VlanDraft {
  return { kind: 'vlan', ...fields };
}

const NO_MAC = '00:00:00:00:00:00';

export function encodeEthernet(layer: EthernetDraft, { content, following }: EncodeContext): Uint8Array {
  const fields = new Fields(14);
  fields.put(0, macBytes(layer.destination ?? NO_MAC, 'ethernet.destination'));
  fields.put(6, macBytes(layer.source ?? NO_MAC, 'ethernet.source'));
  fields.u16(12, layer.type ?? ethertypeOf(following), 'ethernet.type');
  return concat(fields.bytes, content);
}

export function decodeEthernet(bytes: Uint8Array): Decoded | Malformed {
  if (bytes.length < 14) return new Malformed(`an Ethernet header has 14 bytes, not ${bytes.length}`);
  const type = viewOf(bytes).getUint16(12);
  return {
    layer: {
      kind: 'ethernet',
      source: macText(bytes.subarray(6, 12)),
      destination: macText(bytes.subarray(0, 6)),
      type,
    },
    content: bytes.subarray(14),
    next: layerOfEthertype(type),
  };
}

export function encodeVlan(layer: VlanDraft, { content, following }: EncodeContext): Uint8Array {
  const fields = new Fields(4);
  const tag = packBits(
    [layer.priority ?? 0, 3, 'vlan.priority'],
    [layer.dropEligible ?? false, 1, 'vlan.dropEligible'],
    [layer.id, 12, 'vlan.id'],
  );
  fields.u16(0, tag, 'vlan');
  fields.u16(2, layer.type ?? ethertypeOf(following), 'vlan.type');
  return concat(fields.bytes, content);
}

/** `tpid` is the type that came before. */
export function decodeVlan(bytes: Uint8Array, tpid: number = ETHERTYPE.vlan): Decoded | Malformed {
  if (bytes.length < 4) return new Malformed(`a VLAN tag has 4 bytes, not ${bytes.length}`);
  const view = viewOf(bytes);
  const tag = view.getUint16(0);
  const type = view.getUint16(2);
  return {
    layer: { kind: 'vlan', tpid, id: tag & 0xfff, priority: tag >> 13, dropEligible: (tag & 0x1000) !== 0, type },
    content: bytes.subarray(4),
    next: layerOfEthertype(type),
  };
}
