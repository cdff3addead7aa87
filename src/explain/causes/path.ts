import type { PacketCause } from './cause.js';

const FORWARDING = ['net.ipv4.ip_forward', 'net.ipv4.conf.{ifname}.forwarding'];

/** What became of a packet between an interface and a socket: firewall, routing, neighbours, sizes, checksums. */
export const PATH_CAUSES: readonly PacketCause[] = [
  {
    id: 'netfilter-drop',
    outcomes: ['dropped'],
    sentence: 'a netfilter rule or policy dropped it',
    advice: 'find the rule: nft list ruleset, iptables-save -c; nft monitor trace names it',
  },
  {
    id: 'netfilter-reject',
    outcomes: ['rejected'],
    sentence: 'a netfilter rule refused it with an answer (RST or ICMP)',
    advice: 'find the rule: nft list ruleset, iptables-save -c; nft monitor trace names it',
  },
  {
    id: 'conntrack-table-full',
    outcomes: ['dropped'],
    sentence: 'the table of connection tracking is full, or memory is short',
    advice: 'raise nf_conntrack_max, or find out who opens so many: conntrack -S, conntrack -L',
    values: ['net.netfilter.nf_conntrack_count', 'net.netfilter.nf_conntrack_max'],
  },
  {
    id: 'conntrack-invalid',
    outcomes: ['dropped'],
    isFact: true,
    sentence: 'connection tracking takes it for INVALID, and a rule may drop such packets',
    advice: 'nf_conntrack_log_invalid logs why; asymmetric routes and late segments are usual',
    values: ['net.netfilter.nf_conntrack_tcp_be_liberal', 'net.netfilter.nf_conntrack_log_invalid'],
  },
  {
    id: 'socket-filter-drop',
    outcomes: ['dropped'],
    sentence: 'a BPF filter refused it: of the socket, of a cgroup, or of a tun or tap device',
    advice: 'ss -be shows filters of sockets, bpftool cgroup tree those of cgroups',
  },
  {
    id: 'security-module-drop',
    outcomes: ['dropped'],
    sentence: 'a security module (SELinux, Smack, AppArmor) refused it',
    advice: 'look for denials: ausearch -m avc, journalctl -k',
  },
  {
    id: 'ipsec-policy',
    outcomes: ['dropped'],
    sentence: 'an IPsec policy refuses it, mostly because it came unencrypted',
    advice: 'ip xfrm policy, ip xfrm state; cat /proc/net/xfrm_stat',
  },
  {
    id: 'ip-input-refused',
    outcomes: ['dropped'],
    sentence: 'IP refused it at once: its header is bad (checksum, length, version), or its frame is for another host',
    advice: 'look at the sender and at the MAC address: tcpdump -e -vv',
    values: ['nstat:IpInHdrErrors', 'nstat:IpExtInCsumErrors', 'nstat:IpExtInTruncatedPkts', 'nstat:IpInDiscards'],
  },
  // routes
  {
    id: 'reverse-path-filter',
    outcomes: ['dropped'],
    sentence: 'the way back to its source does not leave by the interface that it came in on (rp_filter)',
    advice: "mend the route, or make the check loose (2): the larger of the interface's and all's value counts",
    values: ['net.ipv4.conf.{ifname}.rp_filter', 'net.ipv4.conf.all.rp_filter', 'nstat:TcpExtIPReversePathFilter'],
  },
  {
    id: 'martian-address',
    outcomes: ['dropped'],
    sentence: 'its source or destination address cannot be right here (own, multicast, broadcast, loopback or zero)',
    advice: 'a loop, two hosts with one address, or a broken sender; with log_martians the kernel log names it',
    values: [
      'net.ipv4.conf.{ifname}.log_martians',
      'net.ipv4.conf.{ifname}.accept_local',
      'net.ipv4.conf.{ifname}.route_localnet',
    ],
  },
  {
    id: 'no-route',
    outcomes: ['dropped', 'rejected'],
    sentence: 'there is no route to its destination',
    advice: 'ip route get DEST (from SOURCE iif DEV)',
    values: ['nstat:IpOutNoRoutes', 'nstat:IpExtInNoRoutes'],
  },
  {
    id: 'blackhole-route',
    outcomes: ['dropped'],
    sentence: 'the route to its destination is a blackhole',
    advice: 'ip route show table all type blackhole',
  },
  {
    id: 'unreachable-route',
    outcomes: ['dropped', 'rejected'],
    sentence: 'the route to its destination says unreachable',
    advice: 'ip route show table all type unreachable',
  },
  {
    id: 'prohibit-route',
    outcomes: ['dropped', 'rejected'],
    sentence: 'the route to its destination, or a rule, says prohibit',
    advice: 'ip route show table all type prohibit; ip rule',
  },
  {
    id: 'not-forwarding',
    outcomes: ['dropped', 'rejected'],
    sentence: 'it is for another host, and this one does not forward',
    advice: 'switch forwarding on, or find out why it was sent here',
    values: [...FORWARDING, 'nstat:IpInAddrErrors'],
  },
  {
    id: 'not-for-this-mac',
    outcomes: ['dropped'],
    sentence: 'its frame was for another MAC address',
    advice:
      'usual with promiscuous mode and a flooding switch; else the sender has a wrong neighbour entry (ip neigh there)',
  },
  {
    id: 'ipv6-disabled',
    outcomes: ['dropped'],
    sentence: 'IPv6 is switched off on the interface',
    advice: 'sysctl net.ipv6.conf.DEV.disable_ipv6=0, or nothing if that is wanted',
    values: ['net.ipv6.conf.{ifname}.disable_ipv6'],
  },
  {
    id: 'no-protocol-handler',
    outcomes: ['dropped', 'rejected'],
    sentence: 'nothing here handles its protocol',
    advice: 'is the module of the protocol loaded, is a raw socket or tunnel missing?',
    values: ['nstat:IpInUnknownProtos'],
  },
  {
    id: 'ttl-expired',
    outcomes: ['rejected', 'dropped'],
    sentence: 'its TTL or hop limit is used up',
    advice: 'a loop, or a way that is too long: tracepath DEST',
    values: ['nstat:IpInHdrErrors'],
  },
  // sizes
  {
    id: 'mtu-exceeded',
    outcomes: ['rejected', 'dropped'],
    sentence: 'it is larger than the MTU on its way and must not be fragmented',
    advice: 'an ICMP error tells the sender: does it get through? compare ip link show dev DEV; tracepath DEST',
    values: ['net.ipv4.ip_no_pmtu_disc', 'net.ipv4.tcp_mtu_probing', 'nstat:IpFragFails'],
  },
  {
    id: 'fragments-missing',
    outcomes: ['dropped'],
    sentence: 'not all fragments of the packet came in time',
    advice: 'a fragment was lost on the way, often by a firewall that lets only the first through',
    values: ['net.ipv4.ipfrag_time', 'net.ipv6.ip6frag_time', 'nstat:IpReasmTimeout', 'nstat:IpReasmFails'],
  },
  {
    id: 'fragment-refused',
    outcomes: ['dropped'],
    sentence: 'it is a fragment that overlaps another, came twice, or came too late',
    advice: 'reused IP ids on a fast link, heavy reordering, or an attack',
    values: ['net.ipv4.ipfrag_max_dist', 'nstat:IpReasmFails'],
  },
  {
    id: 'segmentation-failed',
    outcomes: ['dropped'],
    sentence: 'it could not be cut into segments',
    advice: 'switch off an offload to find the culprit: ethtool -K DEV gso off tso off gro off; dmesg',
  },
  // neighbours
  {
    id: 'neighbour-failed',
    outcomes: ['dropped', 'rejected'],
    sentence: 'the next hop did not answer ARP or neighbour solicitation',
    advice: 'is it up, in the same VLAN and subnet, with that address? ip neigh show shows FAILED; arping asks',
    values: ['net.ipv4.neigh.{ifname}.mcast_solicit', 'net.ipv4.neigh.{ifname}.retrans_time_ms'],
  },
  {
    id: 'neighbour-queue-full',
    outcomes: ['dropped'],
    sentence: 'too many packets wait for the address of the next hop',
    advice: 'the next hop answers late or not at all: ip -s neigh',
    values: ['net.ipv4.neigh.{ifname}.unres_qlen_bytes', 'net.ipv6.neigh.{ifname}.unres_qlen_bytes'],
  },
  {
    id: 'neighbour-refused',
    outcomes: ['dropped'],
    sentence: 'the neighbour entry was removed, could not be made, or the neighbour message is not valid',
    advice: 'ip -s neigh; dmesg says when the table is full',
    values: ['net.ipv4.neigh.default.gc_thresh3', 'net.ipv6.neigh.default.gc_thresh3'],
  },
  // contents
  {
    id: 'bad-ip-checksum',
    outcomes: ['dropped'],
    sentence: 'the checksum of its IP header is wrong',
    advice: 'damage on the way: ethtool -S DEV, and the counters of the switch',
    values: ['nstat:IpExtInCsumErrors'],
  },
  {
    id: 'bad-tcp-checksum',
    outcomes: ['dropped'],
    sentence: 'its TCP checksum is wrong',
    advice: 'damage on the way, or a broken checksum offload: ethtool -S DEV, ethtool -k DEV',
    values: ['nstat:TcpInCsumErrors'],
  },
  {
    id: 'bad-udp-checksum',
    outcomes: ['dropped'],
    sentence: 'its UDP checksum is wrong',
    advice: 'damage on the way, or a broken checksum offload: ethtool -S DEV, ethtool -k DEV',
    values: ['nstat:UdpInCsumErrors'],
  },
  {
    id: 'bad-checksum',
    outcomes: ['dropped'],
    sentence: 'its checksum is wrong, or could not be computed',
    advice: 'damage on the way, or a broken sender or offload: ethtool -S DEV, ethtool -k DEV',
    values: ['nstat:IcmpInCsumErrors'],
  },
  {
    id: 'malformed-packet',
    outcomes: ['dropped', 'rejected'],
    sentence: 'its headers are not valid, or it is shorter than they say',
    advice: 'look at the sender or the device that cuts packets off: tcpdump -vv',
    values: ['nstat:IpInHdrErrors', 'nstat:IpExtInTruncatedPkts'],
  },
];
