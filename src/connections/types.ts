import type { DateText, Owner, Seconds, Tuple } from '../types.js';

/** Bytes of a socket, as ss(8) shows them with -m. */
export interface SocketMemory {
  /** In the receive queue, with what the kernel needs for them, and how many may be. */
  receive: number;
  receiveLimit: number;
  send: number;
  sendLimit: number;
  forwardAlloc: number;
  queued: number;
  options: number;
  backlog: number;
  /** Packets that were dropped for want of room. */
  drops?: number;
}

/** What the kernel's struct tcp_info says; what an older kernel does not know is absent. */
export interface TcpDetails {
  /** Congestion state, such as CA_Open. */
  caState?: string;
  /** Zero-window or keepalive probes without answer. */
  probes?: number;
  /** How often the time of the timer was doubled. */
  backoff?: number;
  rtoMs?: number;
  mss?: number;
  packetsOut?: number;
  lost?: number;
  retransOut?: number;
  /** Milliseconds since data was sent, since data came, and since an ACK came; since the start where none did. */
  lastDataSentMs?: number;
  lastDataReceivedMs?: number;
  lastAckReceivedMs?: number;
  rttMs?: number;
  rttVarMs?: number;
  minRttMs?: number;
  cwnd?: number;
  /** Segments that were sent again, since the start. */
  totalRetrans?: number;
  /** Strings where a double cannot hold them. */
  bytesAcked?: number | string;
  bytesReceived?: number | string;
  /** Bytes that wait to be sent for the first time. */
  notSent?: number;
}

/** A socket as the kernel lists it now: one line of `nettrace connections --json`. */
export interface InetSocket {
  v: 1;
  type: 'inet-socket';
  /** Inode of the network namespace. */
  netns: number;
  proto: 'tcp' | 'udp' | 'raw';
  /** TCP state by the kernel's name without TCP_; UNCONN for a socket of UDP or raw IP without a peer. */
  state: string;
  /** Local address and port are `saddr` and `sport`; all zero where there is none. No ports with raw sockets. */
  tuple: Tuple;
  /** Of raw sockets: which protocol of IP they get. */
  ipProtocol?: number;
  /** The interface that it is bound to. */
  ifindex?: number;
  /** Bytes that wait to be read, and that are not acknowledged; of listeners acceptQueue and acceptLimit. */
  recvQueue: number;
  sendQueue: number;
  /** Listeners: connections that wait for accept, and how many may. */
  acceptQueue?: number;
  acceptLimit?: number;
  /** Handshakes that wait for their last ACK; absent where several listeners share the address (SO_REUSEPORT). */
  synQueue?: number;
  /** The pending timer (on: retransmission, keepalive, timewait, persist), and what is left of its time in seconds. */
  timer?: { kind: string; left: number };
  /** Without an answer: retransmissions, or probes. */
  retransmits?: number;
  uid: number;
  /** Of the socket's file; 0 where no process has one: requests, TIME_WAIT, not accepted yet, closed. */
  inode: number;
  /** Unique among all sockets of this run of the machine: a 64-bit number in hexadecimal. */
  cookie: string;
  owner?: Owner;
  /** A handshake that waits for its last ACK: there is no socket yet. */
  isRequest?: true;
  /** Established, and still in the accept queue. */
  isUnaccepted?: true;
  memory?: SocketMemory;
  tcp?: TcpDetails;
}

/** A socket that is still there, and the packets that made it. */
export interface Leftover {
  socket: InetSocket;
  /** Ids of the traces: of the first SYN, SYN-ACK and ACK of the handshake, as far as they were seen. */
  syn?: string;
  synAck?: string;
  ack?: string;
  /** The trace of an RST that was refused in the handshake, though its sequence number fits. */
  refusedReset?: string;
  /**
   * The client gave the connection up, its RST was refused, and the socket stays: established, and no socket that could be
   * its peer is listed.
   */
  isStray: boolean;
}

/** Sockets of traced connections that are still there at the end: with --counters and --explain. */
export interface Leftovers {
  v: 1;
  type: 'leftovers';
  /** Seconds of the monotonic clock. */
  t: Seconds;
  date: DateText;
  /** Strays first. */
  sockets: Leftover[];
  /** Sockets more than are listed. */
  omitted: number;
  /** Connections that were not followed, as there were too many at once. */
  forgotten: number;
}
