import type { PacketCause } from './cause.js';

const PAWS = ['net.ipv4.tcp_timestamps', 'nstat:TcpExtPAWSEstab'];
const CHALLENGE = ['net.ipv4.tcp_challenge_ack_limit', 'nstat:TcpExtTCPChallengeACK'];
const LISTEN_QUEUE = ['net.core.somaxconn', 'nstat:TcpExtListenOverflows', 'nstat:TcpExtListenDrops'];

/** What TCP did with a segment. */
export const TCP_CAUSES: readonly PacketCause[] = [
  // resets
  {
    id: 'rst-did-its-work',
    outcomes: ['worked'],
    sentence: 'the RST ended the connection, or the request for one',
    values: ['nstat:TcpExtEmbryonicRsts', 'nstat:TcpEstabResets'],
  },
  {
    id: 'rst-undecided',
    outcomes: ['unknown'],
    sentence: 'the RST ended its connection or was refused: what this kernel shows does not tell which',
    advice: 'compare sockets (ss -tan) and the counters TcpExtEmbryonicRsts, TcpExtPAWSEstab, TcpExtTCPChallengeACK',
    values: ['nstat:TcpExtEmbryonicRsts', 'nstat:TcpExtPAWSEstab', 'nstat:TcpExtTCPChallengeACK'],
  },
  {
    id: 'rst-outside-window',
    outcomes: ['dropped'],
    sentence: 'the RST was refused: its sequence number is not in the receive window',
    advice: 'a stale connection, a device in between that lost its state, or forged',
    values: CHALLENGE,
  },
  {
    id: 'rst-challenged',
    outcomes: ['dropped'],
    sentence:
      'the RST was refused: its sequence number is in the window but not exactly the next one; the answer is a challenge ACK (RFC 5961)',
    advice: 'a true peer answers the challenge ACK with an RST that fits; else a stale connection, or forged',
    values: CHALLENGE,
  },
  {
    id: 'rst-ignored-in-time-wait',
    outcomes: ['dropped'],
    sentence: 'the RST was ignored: this host protects connections in TIME_WAIT from being ended (RFC 1337)',
    values: ['net.ipv4.tcp_rfc1337'],
  },
  {
    id: 'rst-without-connection',
    outcomes: ['dropped'],
    sentence: 'the RST is for a connection that this host does not have',
    advice: 'mostly harmless: the connection had ended here already',
  },
  // timestamps
  {
    id: 'paws-reject-in-handshake',
    outcomes: ['dropped'],
    sentence: "the segment's timestamp is older than that of the SYN: PAWS refused it, and the request stays",
    advice:
      'an RST that is refused leaves a connection behind when the ACK follows: the sender must set the timestamp that it would use next (or none); several hosts behind one address cause it too',
    values: PAWS,
  },
  {
    id: 'paws-reject-established',
    outcomes: ['dropped'],
    sentence: "the segment's timestamp is older than the last one of this peer: PAWS refused it",
    advice:
      'several hosts behind one address, a device that rewrites timestamps, or a very late segment: compare tsval of the lines',
    values: PAWS,
  },
  {
    id: 'paws-reject-time-wait',
    outcomes: ['dropped'],
    sentence: "the segment's timestamp is older than that of the connection in TIME_WAIT: PAWS refused it",
    advice: 'the peer used the port again with an older clock, as several hosts behind one NAT address do',
    values: ['net.ipv4.tcp_timestamps', 'nstat:TcpExtPAWSTimewait'],
  },
  {
    id: 'paws-old-ack',
    outcomes: ['dropped'],
    sentence: 'a pure ACK that was overtaken, as its timestamp says: nothing is lost by it',
    values: ['nstat:TcpExtPAWSOldAck'],
  },
  {
    id: 'timestamp-echo-rejected',
    outcomes: ['dropped'],
    sentence: 'it echoes a timestamp that was never sent',
    advice: 'a stale connection, a device in between, or forged',
    values: ['nstat:TcpExtTSEcrRejected'],
  },
  // sequence numbers
  {
    id: 'segment-outside-window',
    outcomes: ['dropped'],
    sentence: 'its sequence numbers are not in the receive window; the answer is an ACK',
    advice: 'a stale connection of before a restart, a device in between that lost its state, or forged',
    values: ['nstat:TcpExtTCPACKSkippedSeq'],
  },
  {
    id: 'old-duplicate',
    outcomes: ['dropped'],
    sentence: 'all of its data was received before: nothing is lost by it',
    advice: 'a needless retransmission: ACKs are late or lost on the way to the sender',
    values: ['nstat:TcpExtDelayedACKLost', 'nstat:TcpExtTCPDSACKOldSent'],
  },
  {
    id: 'zero-window',
    outcomes: ['dropped'],
    sentence: 'the receive window is closed, because the application does not read, and data came nevertheless',
    advice: 'ss -nmp: Recv-Q of the socket; the peer sends again',
    values: ['net.ipv4.tcp_rmem', 'nstat:TcpExtTCPZeroWindowDrop'],
  },
  {
    id: 'old-ack',
    outcomes: ['dropped'],
    sentence: 'it acknowledges what was acknowledged before: nothing is lost by it',
  },
  {
    id: 'ack-not-acceptable',
    outcomes: ['dropped', 'rejected'],
    sentence: 'it acknowledges what was never sent, or is far too old',
    advice: 'a stale connection, or forged (RFC 5961)',
    values: CHALLENGE,
  },
  // handshake
  {
    id: 'no-listener',
    outcomes: ['rejected', 'dropped'],
    sentence: 'no socket is bound to this address and port',
    advice: 'start the server, or look at which addresses and ports it listens on: ss -lntup',
    values: ['nstat:TcpOutRsts', 'nstat:UdpNoPorts'],
  },
  {
    id: 'no-connection',
    outcomes: ['rejected', 'dropped'],
    sentence: 'it belongs to a connection that this host does not have',
    advice:
      'the connection had ended, was reset, or the host was restarted; a device in between may have sent it elsewhere',
    values: ['nstat:TcpOutRsts'],
  },
  {
    id: 'accept-queue-full',
    outcomes: ['dropped', 'rejected'],
    sentence: 'the accept queue of the listener is full',
    advice:
      "the server accepts too slowly, or its backlog is short: ss -ltn shows Recv-Q against Send-Q; the smaller of listen()'s argument and somaxconn counts",
    values: [...LISTEN_QUEUE, 'net.ipv4.tcp_abort_on_overflow'],
  },
  {
    id: 'syn-queue-full',
    outcomes: ['dropped'],
    sentence: 'too many handshakes wait for their last ACK, and SYN cookies are off',
    advice: 'a SYN flood, or a short backlog: switch SYN cookies on, or raise tcp_max_syn_backlog',
    values: [
      'net.ipv4.tcp_syncookies',
      'net.ipv4.tcp_max_syn_backlog',
      'nstat:TcpExtTCPReqQFullDrop',
      'nstat:TcpExtListenDrops',
    ],
  },
  {
    id: 'syn-cookie-sent',
    outcomes: ['rejected'],
    sentence:
      'a SYN cookie was the answer: the listener remembers nothing, and makes the socket if the ACK brings the cookie back',
    advice: 'a SYN flood, or a short backlog: raise tcp_max_syn_backlog and the backlog of listen()',
    values: ['net.ipv4.tcp_syncookies', 'net.ipv4.tcp_max_syn_backlog', 'nstat:TcpExtSyncookiesSent'],
  },
  {
    id: 'syn-dropped-by-listener',
    outcomes: ['unknown'],
    sentence: 'the listener seems to have taken no request from the SYN: its SYN queue has not grown',
    advice: 'one of its queues was full or memory was short: compare the counters',
    values: LISTEN_QUEUE,
  },
  {
    id: 'syn-repeated',
    outcomes: ['worked'],
    sentence: 'a SYN of a handshake that is under way: the SYN-ACK is sent again',
    advice: 'the SYN-ACK, or the ACK, was lost on the way',
    values: ['nstat:TcpExtTCPSynRetrans'],
  },
  {
    id: 'segment-before-handshake-ack',
    outcomes: ['dropped'],
    sentence: 'the request makes no socket from this segment: it is not the ACK of the handshake',
    advice: 'flags and ACK number of the segment say more',
  },
  {
    id: 'accept-deferred',
    outcomes: ['dropped'],
    sentence: 'the listener waits for data (TCP_DEFER_ACCEPT): this bare ACK makes no socket yet',
    values: ['nstat:TcpExtTCPDeferAcceptDrop'],
  },
  {
    id: 'handshake-refused',
    outcomes: ['dropped', 'rejected'],
    sentence: 'no socket was made for the last ACK of the handshake',
    advice: 'memory is short, or a security module refused: free -m, dmesg',
    values: LISTEN_QUEUE,
  },
  {
    id: 'syn-in-connection',
    outcomes: ['dropped', 'rejected'],
    sentence: 'a SYN inside a connection: the answer is a challenge ACK (RFC 5961)',
    advice: 'both sides disagree on the state: a restart of the peer, or forged',
    values: ['nstat:TcpExtTCPSYNChallenge'],
  },
  {
    id: 'syn-ack-repeated',
    outcomes: ['dropped'],
    sentence:
      'the SYN-ACK came once more, for a connection that stands here: the server has not taken the ACK for it, and gets another',
    advice:
      'did the ACK reach the server? with a full accept queue it drops it: ss -ltn and TcpExtListenOverflows there',
  },
  // closing
  {
    id: 'data-after-close',
    outcomes: ['rejected', 'dropped'],
    sentence: 'data came for a socket that the application had closed',
    advice: 'the application closed before the peer had sent all',
    values: ['nstat:TcpExtTCPAbortOnData'],
  },
  {
    id: 'connection-was-closed',
    outcomes: ['dropped'],
    sentence: 'it came after the end of its connection',
    advice: 'usual if rare',
  },
  {
    id: 'time-wait-acknowledged',
    outcomes: ['worked'],
    sentence: 'it came for a connection in TIME_WAIT, which acknowledged it',
  },
  {
    id: 'time-wait-reset',
    outcomes: ['rejected'],
    sentence: 'data or a SYN came for a connection that is closed here already: the answer is an RST',
    advice: 'the application closed before the peer had sent all',
    values: ['nstat:TcpOutRsts'],
  },
  {
    id: 'tcp-state-mismatch',
    outcomes: ['dropped', 'rejected'],
    sentence: 'its flags make no sense in this state of the connection',
    advice: 'look at flags and state in the lines before; an ACK for a connection that ended ends here',
  },
  // signatures, buffers
  {
    id: 'tcp-md5-mismatch',
    outcomes: ['dropped'],
    sentence: 'its TCP MD5 or AO signature is missing, wrong or not expected',
    advice: 'compare the keys of both sides and the addresses that they are for; NAT in between breaks signatures',
    values: ['nstat:TcpExtTCPMD5NotFound', 'nstat:TcpExtTCPMD5Unexpected', 'nstat:TcpExtTCPMD5Failure'],
  },
  {
    id: 'ip-min-ttl',
    outcomes: ['dropped'],
    sentence: 'its TTL or hop limit is below what the socket asks for (IP_MINTTL)',
    advice: 'the peer is more hops away than is configured, as for BGP',
    values: ['nstat:TcpExtTCPMinTTLDrop'],
  },
  {
    id: 'fast-open-refused',
    outcomes: ['dropped'],
    sentence: 'the request of a fast open connection did not take it, as its handshake has not ended',
    values: ['net.ipv4.tcp_fastopen'],
  },
];
