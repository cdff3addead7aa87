/**
 * Packets, made and read: `build()` makes bytes of typed layers, `parse()` typed layers of bytes.
 *
 *     build([ethernet({ ... }), ipv4({ source: '10.0.0.1', destination: '10.0.0.2' }), tcp({ sourcePort: 1, destinationPort: 8000, flags: 'S' })])
 *
 * Numbers are numbers, whatever their order on the wire; lengths are in bytes; IP and MAC addresses are text. A field that is left out gets
 * what fits: lengths, checksums (also `'wrong'`, or any number) and the numbers that announce the next layer. What `parse`
 * returns has all fields, and builds the same bytes again; it takes any bytes without throwing.
 */
export { ARP_REPLY, ARP_REQUEST, type Arp, type ArpDraft, arp } from './arp.js';
export { build } from './build.js';
export type { Checksum } from './checksum.js';
export type { Problem, ProblemName } from './codec.js';
export { type Ethernet, type EthernetDraft, ethernet, type Vlan, type VlanDraft, vlan } from './ethernet.js';
export { fragment, quote } from './fragment.js';
export { type Gre, type GreDraft, gre } from './gre.js';
export { type Icmp, type IcmpDraft, type IcmpRest, icmp, icmpEcho } from './icmp.js';
export {
  type Icmpv6,
  type Icmpv6Draft,
  type Icmpv6Message,
  icmpv6,
  icmpv6Echo,
  neighborAdvertisement,
  neighborSolicitation,
  routerAdvertisement,
  routerSolicitation,
} from './icmpv6.js';
export type { AnyIpOption, IpOption, RawOption } from './ip-options.js';
export { type Ipv4, type Ipv4Draft, ipv4 } from './ipv4.js';
export { type Ipv6, type Ipv6Draft, ipv6 } from './ipv6.js';
export {
  destinationOptions,
  hopByHop,
  type Ipv6Fragment,
  type Ipv6FragmentDraft,
  type Ipv6Options,
  type Ipv6OptionsDraft,
  type Ipv6Routing,
  type Ipv6RoutingDraft,
  ipv6Fragment,
  routing,
  routingAddresses,
} from './ipv6-extensions.js';
export { type AnyLayer, findLayer, type Layer, type LayerKind, type LayerOf } from './layers.js';
export type { NdpMessage, NdpOption } from './ndp.js';
export { type Parsed, type ParseOptions, parse } from './parse.js';
export { type Payload, payload } from './payload.js';
export {
  LINKTYPE_ETHERNET,
  type PcapOptions,
  type PcapRecord,
  pcapFile,
  pcapHead,
  pcapRecord,
  pcapStream,
} from './pcap.js';
export { summarize } from './summary.js';
export { type Tcp, type TcpDraft, tcp, tcpOption } from './tcp.js';
export type { TcpOption, TcpOptionDraft } from './tcp-options.js';
export { type Udp, type UdpDraft, udp } from './udp.js';
export { withoutDerived } from './underived.js';
export { VXLAN_PORT, VXLAN_PORT_LINUX, type Vxlan, type VxlanDraft, vxlan } from './vxlan.js';
