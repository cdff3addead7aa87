/** What a drop reason means, and what to do. Reasons by the kernel's names (include/net/dropreason-core.h). */
export interface DropAdvice {
  meaning: string;
  action: string;
}

const ADVICE: Readonly<Record<string, DropAdvice>> = {
  NO_SOCKET: {
    meaning: 'no socket is bound to this address and port',
    action: 'start the server, or look at what it listens on: ss -lntup',
  },
  PKT_TOO_SMALL: {
    meaning: 'the packet is shorter than its headers',
    action: 'look for a broken sender or a truncating device',
  },
  TCP_CSUM: {
    meaning: 'the TCP checksum is wrong',
    action: 'damage on the way or a broken offload: ethtool -k DEV, ethtool -S DEV',
  },
  UDP_CSUM: {
    meaning: 'the UDP checksum is wrong',
    action: 'damage on the way or a broken offload: ethtool -k DEV, ethtool -S DEV',
  },
  IP_CSUM: {
    meaning: 'the IP header checksum is wrong',
    action: 'damage on the way: look at the link and its counters',
  },
  SOCKET_FILTER: { meaning: 'a filter on the socket refused it', action: 'ss -be shows filters of sockets' },
  OTHERHOST: {
    meaning: 'the frame was for another MAC address',
    action: 'wrong neighbour entry at the sender (ip neigh), or promiscuous mode',
  },
  NETFILTER_DROP: { meaning: 'a netfilter rule dropped it', action: 'nft list ruleset; iptables-save -c' },
  IP_INHDR: { meaning: 'the IP header is malformed', action: 'look at the sender' },
  IP_RPFILTER: {
    meaning: 'the way back to the source does not use this interface',
    action: 'sysctl net.ipv4.conf.DEV.rp_filter (2 is loose), or mend the route',
  },
  XFRM_POLICY: { meaning: 'an IPsec policy refused it', action: 'ip xfrm policy; cat /proc/net/xfrm_stat' },
  IP_NOPROTO: { meaning: 'nothing here handles this IP protocol', action: 'is the module for it loaded?' },
  PROTO_MEM: { meaning: 'the protocol ran out of memory', action: 'sysctl net.ipv4.tcp_mem, net.ipv4.udp_mem; ss -m' },
  SOCKET_RCVBUFF: {
    meaning: 'the receive buffer of the socket is full',
    action: 'the reader is too slow, or raise SO_RCVBUF and net.core.rmem_max',
  },
  SOCKET_BACKLOG: {
    meaning: 'the socket backlog is full',
    action: 'the reader holds the socket too long; raise SO_RCVBUF',
  },
  TCP_MD5NOTFOUND: { meaning: 'a signed segment was expected', action: 'compare the TCP MD5 keys of both sides' },
  TCP_MD5UNEXPECTED: { meaning: 'no signature was expected', action: 'compare the TCP MD5 keys of both sides' },
  TCP_MD5FAILURE: { meaning: 'the TCP MD5 signature is wrong', action: 'compare the TCP MD5 keys of both sides' },
  TCP_FLAGS: {
    meaning: 'the TCP flags make no sense in this state',
    action: 'look at the lines before: state and flags',
  },
  TCP_ZEROWINDOW: {
    meaning: 'the receive window is closed',
    action: 'the application does not read: ss -tm shows Recv-Q',
  },
  TCP_OLD_DATA: {
    meaning: 'all of its data was received before',
    action: 'a needless retransmission: ACKs are late or lost',
  },
  TCP_OVERWINDOW: { meaning: 'the data lies beyond the receive window', action: 'the peer ignores the window' },
  TCP_OFOMERGE: { meaning: 'its data was queued out of order before', action: 'nothing: a duplicate' },
  TCP_RFC7323_PAWS: {
    meaning: 'its timestamp is older than the last one of this peer (PAWS)',
    action: 'a device or a crafted segment gives wrong timestamps; nstat -az TcpExtPAWSEstab',
  },
  TCP_RFC7323_PAWS_ACK: { meaning: 'an old pure ACK by its timestamp', action: 'nothing: reordered on the way' },
  TCP_OLD_SEQUENCE: { meaning: 'the sequence number is before the window', action: 'a duplicate or a stale segment' },
  TCP_INVALID_SEQUENCE: {
    meaning: 'the sequence number is not in the window',
    action: 'a stale connection, or forged',
  },
  TCP_INVALID_ACK_SEQUENCE: { meaning: 'the ACK number is not acceptable', action: 'a stale connection, or forged' },
  TCP_RESET: { meaning: 'an RST did its work', action: 'the peer ended the connection: why, is for it to say' },
  TCP_INVALID_SYN: {
    meaning: 'a SYN inside a connection',
    action: 'both sides disagree on the state of the connection',
  },
  TCP_CLOSE: { meaning: 'the socket is closed', action: 'the segment came after the end' },
  TCP_FASTOPEN: { meaning: 'a fast open segment was not usable', action: 'sysctl net.ipv4.tcp_fastopen' },
  TCP_OLD_ACK: { meaning: 'the ACK is old', action: 'nothing: a duplicate or reordered' },
  TCP_TOO_OLD_ACK: { meaning: 'the ACK is too old', action: 'a stale connection, or forged' },
  TCP_ACK_UNSENT_DATA: { meaning: 'it acknowledges what was never sent', action: 'a stale connection, or forged' },
  TCP_OFO_QUEUE_PRUNE: {
    meaning: 'the out-of-order queue was cut',
    action: 'memory is short: ss -tm, net.ipv4.tcp_rmem',
  },
  TCP_OFO_DROP: { meaning: 'the data was received in order meanwhile', action: 'nothing: a duplicate' },
  TCP_LISTEN_OVERFLOW: {
    meaning: 'the accept queue of the listener is full',
    action: 'ss -ltn: Recv-Q against Send-Q; raise the backlog and net.core.somaxconn, or accept faster',
  },
  TCP_REQQFULLDROP: {
    meaning: 'the SYN queue is full',
    action: 'net.ipv4.tcp_syncookies, net.ipv4.tcp_max_syn_backlog',
  },
  IP_OUTNOROUTES: { meaning: 'no route to the destination', action: 'ip route get ADDRESS' },
  IP_INNOROUTES: { meaning: 'no route for the arriving packet', action: 'ip route get DEST from SOURCE iif DEV' },
  BPF_CGROUP_EGRESS: { meaning: 'a BPF program of the cgroup dropped it', action: 'bpftool cgroup tree' },
  IPV6DISABLED: { meaning: 'IPv6 is disabled on the interface', action: 'sysctl net.ipv6.conf.DEV.disable_ipv6' },
  NEIGH_CREATEFAIL: {
    meaning: 'no neighbour entry could be made',
    action: 'ip neigh; the table may be full: net.ipv4.neigh.default.gc_thresh3',
  },
  NEIGH_FAILED: {
    meaning: 'the neighbour did not answer',
    action: 'arping or ping the next hop; ip neigh shows FAILED',
  },
  NEIGH_QUEUEFULL: {
    meaning: 'too many packets wait for the neighbour',
    action: 'arping the next hop; net.ipv4.neigh.DEV.unres_qlen_bytes',
  },
  NEIGH_DEAD: { meaning: 'the neighbour entry was removed', action: 'ip neigh, ip monitor neigh' },
  TC_EGRESS: { meaning: 'a tc program dropped it on its way out', action: 'tc -s filter show dev DEV egress' },
  TC_INGRESS: { meaning: 'a tc program dropped it on its way in', action: 'tc -s filter show dev DEV ingress' },
  QDISC_DROP: {
    meaning: 'the qdisc dropped it',
    action: 'tc -s qdisc show dev DEV: the queue is full or its rule says so',
  },
  CPU_BACKLOG: {
    meaning: 'the backlog of the CPU is full',
    action: 'net.core.netdev_max_backlog; /proc/net/softnet_stat',
  },
  XDP: { meaning: 'an XDP program dropped it', action: 'bpftool net; ip link shows the program' },
  UNHANDLED_PROTO: {
    meaning: 'nothing takes this protocol',
    action: 'is the module for it loaded? ip link; a tap may be the only reader',
  },
  SKB_CSUM: { meaning: 'the checksum could not be made', action: 'ethtool -k DEV' },
  SKB_GSO_SEG: { meaning: 'the packet could not be cut into segments', action: 'ethtool -k DEV' },
  HDR_TRUNC: { meaning: 'a header is cut off', action: 'look at the sender of the raw or tun packet' },
  FULL_RING: { meaning: 'the ring of a tun or tap device is full', action: 'its reader is too slow' },
  NOMEM: { meaning: 'memory ran out', action: 'free -m, vm.min_free_kbytes' },
  DEV_READY: { meaning: 'the device is not up', action: 'ip link set DEV up' },
  PKT_TOO_BIG: { meaning: 'the packet is larger than the MTU', action: 'ip link show; path MTU: tracepath' },
  DUP_FRAG: { meaning: 'a fragment came twice', action: 'nothing, if rare' },
  FRAG_REASM_TIMEOUT: { meaning: 'not all fragments came in time', action: 'a fragment was lost on the way' },
  ICMP_CSUM: { meaning: 'the ICMP checksum is wrong', action: 'look at the sender' },
  IP_IN_OTHERHOST: { meaning: 'the frame was for another host', action: 'ip neigh at the sender' },
  IP_LOCALNET: {
    meaning: 'a loopback address outside the loopback device',
    action: 'net.ipv4.conf.DEV.route_localnet',
  },
  IP_INVALID_SOURCE: { meaning: 'the source address is not valid', action: 'look at the sender: a martian' },
  IP_INVALID_DEST: { meaning: 'the destination address is not valid', action: 'look at the sender: a martian' },
  TCP_ABORT_ON_DATA: {
    meaning: 'data came for a closed connection',
    action: 'the application closed before it had read all',
  },
  LISTENER_CLOSED: { meaning: 'the listener is gone', action: 'is the server being restarted?' },
};

/** Meaning and advice for a reason's name without prefix; undefined where there is nothing to say. */
export function dropAdvice(reason: string | undefined): DropAdvice | undefined {
  return reason === undefined ? undefined : ADVICE[reason];
}
