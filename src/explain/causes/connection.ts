import type { ConnectionCause } from './cause.js';

/** What became of a TCP connection: the traces of one tuple, both ways. */
export const CONNECTION_CAUSES: readonly ConnectionCause[] = [
  {
    id: 'connection-open',
    outcome: 'open',
    sentence: 'the connection stands',
  },
  {
    id: 'connection-closed',
    outcome: 'closed',
    sentence: 'both sides closed the connection (FIN)',
  },
  {
    id: 'connection-half-closed',
    outcome: 'open',
    sentence: 'one side closed the connection (FIN), the other has not yet',
    advice: 'ss -tan: CLOSE_WAIT is an application that does not close',
  },
  {
    id: 'connection-reset',
    outcome: 'reset',
    sentence: 'an RST ended the connection',
    advice: 'which side sent it, and what came just before?',
  },
  {
    id: 'connection-reset-in-handshake',
    outcome: 'reset',
    sentence: 'an RST ended the handshake',
    advice: 'a health check or a scanner does so; the server has no connection',
    values: ['nstat:TcpExtEmbryonicRsts'],
  },
  {
    id: 'stray-connection',
    outcome: 'stray',
    sentence:
      'an RST was refused, and afterwards the ACK established the socket: the client has given the connection up, the server keeps it',
    advice:
      'the socket stays until the application or keepalive ends it, and takes a place in the accept queue: mend the sender of the RST (see the cause of its packet), or shorten SYN-ACK timers and keepalive',
    values: ['nstat:TcpExtPAWSEstab'],
  },
  {
    id: 'connection-refused',
    outcome: 'refused',
    sentence: 'the SYN was answered with an RST or an ICMP error',
    advice: 'is the server up, on this address and port? a firewall may refuse too: see the cause of the SYN',
  },
  {
    id: 'next-hop-unreachable',
    outcome: 'refused',
    sentence:
      'the next hop of the SYN answered neither ARP nor neighbour discovery, so that the kernel before it gave the SYN up',
    advice: 'is the next hop up, and in this network? ip neigh show, and the VLAN and cable of the interface',
  },
  {
    id: 'syn-unanswered',
    outcome: 'timed-out',
    sentence: 'no answer came to the SYN, however often it was sent',
    advice: 'look for the drop: of the SYN on its way, or of the SYN-ACK on its way back',
    values: ['net.ipv4.tcp_syn_retries', 'nstat:TcpExtTCPSynRetrans'],
  },
  {
    id: 'syn-ack-unanswered',
    outcome: 'timed-out',
    sentence: 'the SYN-ACK was sent, and no ACK that the server takes came back',
    advice: 'look for the drop of the SYN-ACK or of the ACK; a SYN flood looks the same',
    values: ['net.ipv4.tcp_synack_retries'],
  },
  {
    id: 'server-has-no-connection',
    outcome: 'half-open',
    sentence:
      'the client believes in a connection that the server does not have: its data is ignored, and the SYN-ACK is sent again',
    advice: 'the accept queue of the server was full at the last ACK of the handshake: ss -ltn',
    values: ['net.core.somaxconn', 'net.ipv4.tcp_abort_on_overflow', 'nstat:TcpExtListenOverflows'],
  },
  {
    id: 'retransmitting',
    outcome: 'open',
    sentence: 'segments were sent again, and neither they nor an ACK for them were seen to arrive',
    advice: 'look for the drop on the way, or is the peer gone?',
    values: ['net.ipv4.tcp_retries2', 'nstat:TcpRetransSegs'],
  },
  {
    id: 'retransmission-timeout',
    outcome: 'timed-out',
    sentence: 'what was sent again was never acknowledged, until its sender gave the connection up: its socket is gone',
    advice:
      'look for the drop on the way, or is the peer gone? tcp_retries2 and TCP_USER_TIMEOUT say for how long it is sent again',
    values: ['net.ipv4.tcp_retries2', 'nstat:TcpExtTCPAbortOnTimeout'],
  },
  {
    id: 'keepalive-timeout',
    outcome: 'timed-out',
    sentence: 'nobody answered the keepalive probes of a silent connection, and an RST ended it',
    advice: 'is the peer gone, or did a device in between (NAT, firewall) forget the connection?',
    values: [
      'net.ipv4.tcp_keepalive_time',
      'net.ipv4.tcp_keepalive_intvl',
      'net.ipv4.tcp_keepalive_probes',
      'nstat:TcpExtTCPAbortOnTimeout',
    ],
  },
  {
    id: 'one-side-vanished',
    outcome: 'half-open',
    sentence: 'one side has no socket any more, and the other, which keeps its own, was not told',
    advice: 'nothing ends the socket that is left but keepalive, data that nobody acknowledges, or the application',
    values: ['net.ipv4.tcp_keepalive_time'],
  },
  {
    id: 'segments-of-no-connection',
    outcome: 'refused',
    sentence: 'segments came for a connection that this host does not have, and were answered with RST',
    advice: 'the connection had ended or the host was restarted',
  },
  {
    id: 'connection-unclear',
    outcome: 'unknown',
    sentence: 'what was seen does not tell what became of the connection',
  },
];
