import type { AnyLayer, LayerKind } from './layers.js';

/** EtherTypes (IANA, IEEE 802 Numbers). */
export const ETHERTYPE = { ipv4: 0x0800, arp: 0x0806, vlan: 0x8100, ethernet: 0x6558, ipv6: 0x86dd, qinq: 0x88a8 };
/** IEEE's type for local experiments. */
const ETHERTYPE_EXPERIMENT = 0x88b5;

const BY_ETHERTYPE = new Map<number, LayerKind>([
  [ETHERTYPE.ipv4, 'ipv4'],
  [ETHERTYPE.arp, 'arp'],
  [ETHERTYPE.vlan, 'vlan'],
  [ETHERTYPE.ipv6, 'ipv6'],
  [ETHERTYPE.qinq, 'vlan'],
]);

/** Protocol numbers of IP (IANA). */
export const PROTOCOL = {
  hopByHop: 0,
  icmp: 1,
  ipv4: 4,
  tcp: 6,
  udp: 17,
  ipv6: 41,
  routing: 43,
  fragment: 44,
  gre: 47,
  icmpv6: 58,
  none: 59,
  destinationOptions: 60,
};
/** RFC 3692's number for experiments. */
const PROTOCOL_EXPERIMENT = 253;

const BY_PROTOCOL = new Map<number, LayerKind>([
  [PROTOCOL.icmp, 'icmp'],
  [PROTOCOL.ipv4, 'ipv4'],
  [PROTOCOL.tcp, 'tcp'],
  [PROTOCOL.udp, 'udp'],
  [PROTOCOL.ipv6, 'ipv6'],
  [PROTOCOL.gre, 'gre'],
  [PROTOCOL.icmpv6, 'icmpv6'],
]);
const IPV6_EXTENSIONS = new Map<number, LayerKind>([
  [PROTOCOL.hopByHop, 'hop-by-hop'],
  [PROTOCOL.routing, 'routing'],
  [PROTOCOL.fragment, 'fragment'],
  [PROTOCOL.destinationOptions, 'destination-options'],
]);

const PROTOCOLS = new Map<LayerKind, number>(
  [...BY_PROTOCOL, ...IPV6_EXTENSIONS].map(([number, kind]) => [kind, number]),
);

export function layerOfEthertype(type: number): LayerKind {
  return BY_ETHERTYPE.get(type) ?? 'payload';
}

/** Extension headers are those of IPv6 only. */
export function layerOfProtocol(protocol: number, version: 4 | 6): LayerKind {
  return BY_PROTOCOL.get(protocol) ?? (version === 6 ? IPV6_EXTENSIONS.get(protocol) : undefined) ?? 'payload';
}

/** The type that announces the next layer; a VLAN tag before another one is a service tag (802.1ad). */
export function ethertypeOf([next, behind]: readonly AnyLayer[]): number {
  if (next?.kind === 'vlan') return next.tpid ?? (behind?.kind === 'vlan' ? ETHERTYPE.qinq : ETHERTYPE.vlan);
  if (next?.kind === 'ipv4' || next?.kind === 'ipv6' || next?.kind === 'arp' || next?.kind === 'ethernet')
    return ETHERTYPE[next.kind];
  return ETHERTYPE_EXPERIMENT;
}

/** The number that announces the next layer, or that there is none. */
export function protocolOf([next]: readonly AnyLayer[]): number {
  return next ? (PROTOCOLS.get(next.kind) ?? PROTOCOL_EXPERIMENT) : PROTOCOL.none;
}
