import type { Arp, ArpDraft } from './arp.js';
import type { Ethernet, EthernetDraft, Vlan, VlanDraft } from './ethernet.js';
import type { Gre, GreDraft } from './gre.js';
import type { Icmp, IcmpDraft } from './icmp.js';
import type { Icmpv6, Icmpv6Draft } from './icmpv6.js';
import type { Ipv4, Ipv4Draft } from './ipv4.js';
import type { Ipv6, Ipv6Draft } from './ipv6.js';
import type {
  Ipv6Fragment,
  Ipv6FragmentDraft,
  Ipv6Options,
  Ipv6OptionsDraft,
  Ipv6Routing,
  Ipv6RoutingDraft,
} from './ipv6-extensions.js';
import type { Payload } from './payload.js';
import type { Tcp, TcpDraft } from './tcp.js';
import type { Udp, UdpDraft } from './udp.js';
import type { Vxlan, VxlanDraft } from './vxlan.js';

/** A layer as it is parsed: with all of its fields. Any such layer can be built again. */
export type Layer =
  | Ethernet
  | Vlan
  | Arp
  | Ipv4
  | Ipv6
  | Ipv6Options
  | Ipv6Routing
  | Ipv6Fragment
  | Tcp
  | Udp
  | Icmp
  | Icmpv6
  | Vxlan
  | Gre
  | Payload;

export type LayerKind = Layer['kind'];
export type LayerOf<K extends LayerKind> = Extract<Layer, { kind: K }>;

/** A layer to build: fields that are left out get what fits the layers around. */
export type AnyLayer =
  | EthernetDraft
  | VlanDraft
  | ArpDraft
  | Ipv4Draft
  | Ipv6Draft
  | Ipv6OptionsDraft
  | Ipv6RoutingDraft
  | Ipv6FragmentDraft
  | TcpDraft
  | UdpDraft
  | IcmpDraft
  | Icmpv6Draft
  | VxlanDraft
  | GreDraft
  | Payload;

/** The first layer of that kind, from the outside; undefined where there is none. */
export function findLayer<K extends LayerKind>(layers: readonly Layer[], kind: K): LayerOf<K> | undefined {
  return layers.find((layer): layer is LayerOf<K> => layer.kind === kind);
}
