import { parseAddress } from '../../decode/addresses.js';
import {
  type AnyLayer,
  ARP_REPLY,
  ARP_REQUEST,
  arp,
  ethernet,
  findLayer,
  type Icmpv6Draft,
  ipv6,
  type Layer,
  neighborAdvertisement,
  neighborSolicitation,
} from '../packet/index.js';

export const BROADCAST_MAC = 'ff:ff:ff:ff:ff:ff';
const NO_MAC = '00:00:00:00:00:00';
/** Neighbour discovery is refused with any other (RFC 4861, 7.1). */
const NDP_HOP_LIMIT = 255;

const two = (byte: number) => byte.toString(16).padStart(2, '0');

/** One way of writing for each address. */
export function addressKey(address: string): string {
  const bytes = parseAddress(address);
  if (!bytes) throw new RangeError(`'${address}' is not an IPv4 or IPv6 address`);
  return Buffer.from(bytes).toString('hex');
}

/** The hardware address that broadcasts and multicasts have by themselves (RFC 1112, RFC 2464); else undefined. */
export function groupMac(address: string): string | undefined {
  const bytes = parseAddress(address) ?? new Uint8Array(4);
  const tail = Array.from(bytes.subarray(-4));
  if (bytes.length === 16) return bytes[0] === 0xff ? `33:33:${tail.map(two).join(':')}` : undefined;
  const [first = 0, second = 0, third = 0, fourth = 0] = tail;
  if (tail.every((byte) => byte === 255)) return BROADCAST_MAC;
  return first >> 4 === 14 ? `01:00:5e:${[second & 0x7f, third, fourth].map(two).join(':')}` : undefined;
}

/** The group that an address's owner listens to for solicitations (RFC 4291, 2.7.1). */
function solicitedNode(address: string): string {
  const [, high = 0, low = 0, last = 0] = Array.from((parseAddress(address) ?? new Uint8Array(16)).subarray(-4));
  return `ff02::1:ff${two(high)}:${((low << 8) | last).toString(16)}`;
}

/** The question who has an address, ARP or neighbour discovery by its family. */
export function neighbourQuestion(target: string, own: { address: string; mac: string }): AnyLayer[] {
  if (!target.includes(':'))
    return [
      ethernet({ source: own.mac, destination: BROADCAST_MAC }),
      arp({ operation: ARP_REQUEST, senderMac: own.mac, senderIp: own.address, targetMac: NO_MAC, targetIp: target }),
    ];
  const group = solicitedNode(target);
  return [
    ethernet({ source: own.mac, destination: groupMac(group) }),
    ipv6({ source: own.address, destination: group, hopLimit: NDP_HOP_LIMIT }),
    neighborSolicitation(target, { options: [{ kind: 'source-link-address', mac: own.mac }] }),
  ];
}

/** The answer to a question for one of these addresses, with the tags that the question had; else undefined. */
export function neighbourAnswer(
  layers: readonly Layer[],
  isOwn: (address: string) => boolean,
  mac: string,
): AnyLayer[] | undefined {
  const tags = layers.filter((layer) => layer.kind === 'vlan');
  const question = findLayer(layers, 'arp');
  if (question?.operation === ARP_REQUEST && isOwn(question.targetIp))
    return [
      ethernet({ source: mac, destination: question.senderMac }),
      ...tags,
      arp({
        operation: ARP_REPLY,
        senderMac: mac,
        senderIp: question.targetIp,
        targetMac: question.senderMac,
        targetIp: question.senderIp,
      }),
    ];
  const message = findLayer(layers, 'icmpv6')?.message;
  const [frame, ip] = [findLayer(layers, 'ethernet'), findLayer(layers, 'ipv6')];
  if (message?.kind !== 'neighbor-solicitation' || !isOwn(message.target) || !frame || !ip) return undefined;
  const unspecified = addressKey(ip.source) === addressKey('::'); // duplicate address detection
  return [
    ethernet({ source: mac, destination: unspecified ? groupMac('ff02::1') : frame.source }),
    ...tags,
    ipv6({ source: message.target, destination: unspecified ? 'ff02::1' : ip.source, hopLimit: NDP_HOP_LIMIT }),
    advertisement(message.target, mac, !unspecified),
  ];
}

function advertisement(target: string, mac: string, solicited: boolean): Icmpv6Draft {
  return neighborAdvertisement(target, { solicited, override: true, options: [{ kind: 'target-link-address', mac }] });
}

/** What a packet tells about who is where. */
export function neighbourFact(layers: readonly Layer[]): { address: string; mac: string } | undefined {
  const said = findLayer(layers, 'arp');
  if (said) return { address: said.senderIp, mac: said.senderMac };
  const message = findLayer(layers, 'icmpv6')?.message;
  if (message?.kind === 'neighbor-advertisement') {
    const option = message.options.find(({ kind }) => kind === 'target-link-address');
    const mac = option && 'mac' in option ? option.mac : findLayer(layers, 'ethernet')?.source;
    return mac ? { address: message.target, mac } : undefined;
  }
  if (message?.kind !== 'neighbor-solicitation') return undefined;
  const option = message.options.find(({ kind }) => kind === 'source-link-address');
  const source = findLayer(layers, 'ipv6')?.source;
  return option && 'mac' in option && source ? { address: source, mac: option.mac } : undefined;
}
