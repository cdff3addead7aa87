import { type Decoded, type EncodeContext, Malformed } from './codec.js';
import type { Draft, FieldsOf } from './draft.js';
import { concat, Fields, ipv4Bytes, ipv4Text, macBytes, macText, viewOf } from './fields.js';
import { ETHERTYPE } from './protocols.js';

/** ARP for Ethernet and IPv4 (RFC 826). */
export interface Arp {
  kind: 'arp';
  /** 1 request, 2 reply. */
  operation: number;
  senderMac: string;
  senderIp: string;
  targetMac: string;
  targetIp: string;
  /** 1, Ethernet. */
  hardwareType: number;
  /** 0x0800, IPv4. */
  protocolType: number;
  /** The size fields, bytes; the addresses have 6 and 4 whatever these say. */
  hardwareSize: number;
  protocolSize: number;
}
export type ArpDraft = Draft<Arp>;

export const ARP_REQUEST = 1;
export const ARP_REPLY = 2;

export function arp(fields: FieldsOf<ArpDraft>): ArpDraft {
  return { kind: 'arp', ...fields };
}

export function encodeArp(layer: ArpDraft, { content }: EncodeContext): Uint8Array {
  const fields = new Fields(28);
  fields.u16(0, layer.hardwareType ?? 1, 'arp.hardwareType');
  fields.u16(2, layer.protocolType ?? ETHERTYPE.ipv4, 'arp.protocolType');
  fields.u8(4, layer.hardwareSize ?? 6, 'arp.hardwareSize');
  fields.u8(5, layer.protocolSize ?? 4, 'arp.protocolSize');
  fields.u16(6, layer.operation ?? ARP_REQUEST, 'arp.operation');
  fields.put(8, macBytes(layer.senderMac ?? '00:00:00:00:00:00', 'arp.senderMac'));
  fields.put(14, ipv4Bytes(layer.senderIp ?? '0.0.0.0', 'arp.senderIp'));
  fields.put(18, macBytes(layer.targetMac ?? '00:00:00:00:00:00', 'arp.targetMac'));
  fields.put(24, ipv4Bytes(layer.targetIp ?? '0.0.0.0', 'arp.targetIp'));
  return concat(fields.bytes, content);
}

export function decodeArp(bytes: Uint8Array): Decoded | Malformed {
  if (bytes.length < 28) return new Malformed(`ARP for Ethernet and IPv4 has 28 bytes, not ${bytes.length}`);
  const view = viewOf(bytes);
  const [hardwareSize, protocolSize] = [view.getUint8(4), view.getUint8(5)];
  if (hardwareSize !== 6 || protocolSize !== 4)
    return new Malformed(`addresses of ${hardwareSize} and ${protocolSize} bytes are not Ethernet's and IPv4's`);
  return {
    layer: {
      kind: 'arp',
      operation: view.getUint16(6),
      senderMac: macText(bytes.subarray(8, 14)),
      senderIp: ipv4Text(bytes.subarray(14, 18)),
      targetMac: macText(bytes.subarray(18, 24)),
      targetIp: ipv4Text(bytes.subarray(24, 28)),
      hardwareType: view.getUint16(0),
      protocolType: view.getUint16(2),
      hardwareSize,
      protocolSize,
    },
    content: bytes.subarray(28), // padding, most often
    next: 'payload',
  };
}
