import type { PacketCause } from './cause.js';

/** Queues, memory, devices and what works on them; and drops of which little is known. */
export const QUEUE_CAUSES: readonly PacketCause[] = [
  {
    id: 'socket-receive-buffer-full',
    outcomes: ['dropped'],
    sentence: 'the receive buffer of the socket is full',
    advice: 'the reader is too slow (ss -nmp: Recv-Q, d in skmem), or give it more: SO_RCVBUF up to rmem_max',
    values: ['net.core.rmem_default', 'net.core.rmem_max', 'nstat:UdpRcvbufErrors', 'nstat:TcpExtTCPRcvQDrop'],
  },
  {
    id: 'socket-backlog-full',
    outcomes: ['dropped'],
    sentence: 'the socket was in use, and its backlog is full',
    advice: 'the application holds the socket for long, or the CPU is short; a larger receive buffer helps',
    values: ['net.ipv4.tcp_rmem', 'nstat:TcpExtTCPBacklogDrop'],
  },
  {
    id: 'out-of-order-queue-pruned',
    outcomes: ['dropped'],
    sentence: 'its data had come out of order, and was thrown away to save memory',
    advice: 'the receive buffer is too small for the losses on the way, or memory is short: ss -nmp',
    values: ['net.ipv4.tcp_rmem', 'net.ipv4.tcp_mem', 'nstat:TcpExtOfoPruned'],
  },
  {
    id: 'packet-ring-full',
    outcomes: ['dropped'],
    isFact: true,
    sentence: 'a packet socket had no room for its copy ("dropped by kernel" in tcpdump); the packet itself goes on',
    advice: 'the sniffer is too slow or its buffer too small: larger -B for tcpdump',
    values: ['net.core.rmem_default'],
  },
  {
    id: 'cpu-backlog-full',
    outcomes: ['dropped'],
    sentence: 'the input queue of a CPU is full, or its flow limit is reached',
    advice: 'spread the load (RSS, RPS), or make the queue longer: netdev_max_backlog',
    values: ['net.core.netdev_max_backlog', 'softnet:dropped'],
  },
  {
    id: 'device-queue-full',
    outcomes: ['dropped'],
    sentence: 'the queue of a virtual device (tun, tap, macvlan, ipvlan) is full',
    advice: 'its reader (virtual machine, VPN daemon) is too slow; a longer queue: ip link set DEV txqueuelen N',
  },
  {
    id: 'no-memory',
    outcomes: ['dropped'],
    sentence: 'the kernel, or all sockets of the protocol together, had no memory for it',
    advice: 'free -m, dmesg; ss -s and /proc/net/sockstat against the third number of tcp_mem or udp_mem',
    values: ['net.ipv4.tcp_mem', 'net.ipv4.udp_mem', 'vm.min_free_kbytes', 'nstat:UdpMemErrors'],
  },
  // qdisc, tc, XDP
  {
    id: 'qdisc-limit',
    outcomes: ['dropped'],
    sentence: 'the queueing discipline has no room for it: a limit of length, flows or time is reached',
    advice: 'more is sent than the link carries: tc -s qdisc show dev DEV shows limit, backlog and drops',
    values: ['qdisc:{ifname}', 'net.core.default_qdisc'],
  },
  {
    id: 'qdisc-drop',
    outcomes: ['dropped'],
    sentence: 'the queueing discipline dropped it: full, told to lose packets, or to slow senders down',
    advice: 'tc -s qdisc show dev DEV, tc -s class show dev DEV',
    values: ['qdisc:{ifname}', 'net.core.default_qdisc'],
  },
  {
    id: 'tc-drop',
    outcomes: ['dropped'],
    sentence: 'a tc filter or program dropped it',
    advice: 'tc -s filter show dev DEV ingress (or egress, or parent of the qdisc); bpftool net',
  },
  {
    id: 'xdp-drop',
    outcomes: ['dropped'],
    sentence: 'an XDP program dropped it',
    advice: 'bpftool net and ip link show name the program',
  },
  {
    id: 'xdp-took',
    outcomes: ['unknown'],
    sentence: 'an XDP program took it: dropped, or sent elsewhere',
    advice: 'bpftool net and ip link show name the program',
  },
  {
    id: 'tc-took',
    outcomes: ['dropped', 'unknown'],
    sentence: 'a tc action took it: sent elsewhere, held back, or thrown away',
    advice: 'tc -s filter show dev DEV ingress (or egress, or parent of the qdisc) names the action',
  },
  // devices
  {
    id: 'device-not-ready',
    outcomes: ['dropped'],
    sentence: 'the interface is not up, not ready, or knows nowhere to send it',
    advice: 'ip -d link show dev DEV; for tun and tap: does a program hold the other end? bridge fdb show dev DEV',
  },
  {
    id: 'device-drop',
    outcomes: ['dropped'],
    sentence: 'the interface or its driver dropped it',
    advice: 'ip -s link show dev DEV; ethtool -S DEV; what is below this virtual device?',
  },
  {
    id: 'tunnel-refused',
    outcomes: ['dropped'],
    sentence: 'a tunnel device could not take it: header, VNI, remote or ECN bits do not fit',
    advice: 'ip -d link show dev DEV; bridge fdb show dev DEV; compare both ends',
  },
  {
    id: 'bridge-drop',
    outcomes: ['dropped'],
    sentence: 'the bridge does not forward it',
    advice: 'bridge link show (state of the port), bridge vlan show',
  },
  {
    id: 'ovs-drop',
    outcomes: ['dropped'],
    sentence: 'Open vSwitch dropped it',
    advice: 'ovs-appctl dpctl/dump-flows, ovs-appctl ofproto/trace',
  },
  {
    id: 'wireless-drop',
    outcomes: ['dropped'],
    sentence: 'the wireless stack refused the frame',
    advice: "the kernel's reason says why (MIC, REPLAY, UNPROT, ...); iw dev DEV station dump, dmesg",
  },
  // little is known
  {
    id: 'drop-other-reason',
    outcomes: ['dropped'],
    sentence: 'the kernel dropped it, with a reason that nettrace has no more to say about',
    advice: "the kernel's reason and the function that freed it say more",
  },
  {
    id: 'drop-not-specified',
    outcomes: ['dropped'],
    sentence: 'the kernel freed it as dropped, and gives no reason',
    advice: 'the function that freed it, and the lines before, say more',
  },
];
