import { UsageError } from './errors.js';

export const ETH_P_IP = 0x0800;
export const ETH_P_IPV6 = 0x86dd;
export const ETH_P_ARP = 0x0806;
export const IPPROTO_TCP = 6;
export const IPPROTO_UDP = 17;
/** IANA's numbers, by the names of /etc/protocols. */
const IP_PROTOCOLS = {
  igmp: 2,
  ipip: 4,
  dccp: 33,
  gre: 47,
  esp: 50,
  ah: 51,
  ospf: 89,
  pim: 103,
  vrrp: 112,
  l2tp: 115,
  sctp: 132,
  udplite: 136,
} as const;

/** What the headers of a packet must say: the ethertype, and the protocol that IP carries. */
export interface ProtoTest {
  name: string;
  l3?: number;
  l4?: number;
}

const NAMED = {
  tcp: { l4: IPPROTO_TCP },
  udp: { l4: IPPROTO_UDP },
  icmp: { l3: ETH_P_IP, l4: 1 },
  icmpv6: { l3: ETH_P_IPV6, l4: 58 },
  arp: { l3: ETH_P_ARP },
  ip: { l3: ETH_P_IP },
  ipv6: { l3: ETH_P_IPV6 },
} as const;

export type FilterProto = keyof typeof NAMED | keyof typeof IP_PROTOCOLS;
const TESTS: readonly ProtoTest[] = [
  ...Object.entries(NAMED).map(([name, test]) => ({ name, ...test })),
  ...Object.entries(IP_PROTOCOLS).map(([name, l4]) => ({ name, l4 })),
];
export const FILTER_PROTOS = TESTS.map(({ name }) => name) as readonly FilterProto[];

/** Throws UsageError for what is neither a name nor the number of a protocol that IP carries. */
export function parseProto(proto: FilterProto | number): ProtoTest {
  const found = TESTS.find(({ name, l4 }) => (typeof proto === 'number' ? l4 === proto : name === proto));
  if (found) return found;
  if (typeof proto === 'number' && Number.isInteger(proto) && proto >= 1 && proto <= 255)
    return { name: `IP protocol ${proto}`, l4: proto };
  throw new UsageError(
    `protocol must be one of ${FILTER_PROTOS.join(', ')}, or a number from 1 to 255, not '${proto}'`,
  );
}

/** As /etc/protocols has it; undefined where it is none of those with a name here. */
export function ipProtocolName(number: number): string | undefined {
  return Object.entries(IP_PROTOCOLS).find(([, known]) => known === number)?.[0];
}
