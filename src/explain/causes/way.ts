import type { PacketCause } from './cause.js';

/** Packets that no harm came to, facts about them, and what cannot be said. */
export const WAY_CAUSES: readonly PacketCause[] = [
  { id: 'taken-by-socket', outcomes: ['delivered'], sentence: 'a socket here took it' },
  {
    id: 'taken-by-kernel',
    outcomes: ['delivered'],
    sentence: 'a protocol of the kernel that needs no socket took it (ARP, ICMP, neighbour discovery)',
  },
  {
    id: 'taken-by-packet-socket',
    outcomes: ['delivered'],
    sentence: 'a packet socket (a sniffer, a DHCP client) took it, and nothing else did',
  },
  {
    id: 'unread-at-close',
    outcomes: ['delivered', 'unknown'],
    sentence: 'it was in the queue of a socket when that was closed',
    advice: 'the application closed before it had read, or sent, all; look there if that data mattered',
  },
  { id: 'handed-to-driver', outcomes: ['sent'], sentence: 'it was handed to the driver of the interface' },
  {
    id: 'routed-on',
    outcomes: ['forwarded'],
    sentence: 'it came in by one interface and went out by another: this host is a router or bridge for it',
  },
  { id: 'gro-merged', outcomes: ['merged'], sentence: 'GRO merged it into another packet of its flow' },
  {
    id: 'fragments-reassembled',
    outcomes: ['merged'],
    sentence: 'it was a fragment, and became part of a whole packet',
  },
  {
    id: 'gso-split',
    outcomes: [],
    isFact: true,
    sentence: 'it was cut into segments, which went on in its place',
  },
  {
    id: 'fragmented',
    outcomes: [],
    isFact: true,
    sentence: 'it was cut into fragments, as it is larger than the MTU',
  },
  {
    id: 'nat-rewritten',
    outcomes: [],
    isFact: true,
    sentence: 'its addresses or ports were rewritten on the way (NAT)',
  },
  {
    id: 'retransmission',
    outcomes: [],
    isFact: true,
    sentence: 'it was sent again, because no ACK came in time',
    advice: 'look for a drop on the way, here or at the peer',
    values: ['nstat:TcpRetransSegs'],
  },
  {
    id: 'probe-answered',
    outcomes: ['worked'],
    sentence:
      'a keepalive, or a probe of a closed window: it repeats a number that was acknowledged, so that an ACK is the answer',
  },
  {
    id: 'not-for-this-host',
    outcomes: ['worked'],
    sentence: 'it was a multicast, a broadcast or a question that is about another host: nothing here wanted it',
  },
  {
    id: 'did-its-work',
    outcomes: ['worked'],
    sentence: 'it had done its work and was freed; some kernels free such packets as they free dropped ones',
  },
  {
    id: 'queued-to-user-space',
    outcomes: ['unknown'],
    sentence: 'netfilter handed it to a program (NFQUEUE), and what that decided was not seen',
    advice: 'cat /proc/net/netfilter/nfnetlink_queue; which program reads the queue?',
  },
  {
    id: 'still-on-its-way',
    outcomes: ['unknown'],
    sentence: 'it had not been freed when the trace was closed: it waits in a queue, or the run ended',
  },
  {
    id: 'end-not-seen',
    outcomes: ['unknown'],
    sentence: 'its end was not seen: no probe reported its free',
    advice: 'more functions may tell: -t all; nettrace doctor says which frees this kernel shows',
  },
  {
    id: 'freed-without-sign',
    outcomes: ['unknown'],
    sentence: 'it was freed as packets are that have done their work, and nothing showed which',
    advice: 'more functions may tell: -t all',
  },
  {
    id: 'events-lost',
    outcomes: ['unknown'],
    sentence: 'events of it were lost, and what is left does not tell its end',
    advice: 'a larger ring buffer (--buffer) or a narrower filter loses less',
  },
];
