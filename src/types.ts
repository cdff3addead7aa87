/**
 * What a trace is: the public types of the library, and the source of schema/output.schema.json.
 * 64-bit values that a double cannot hold are strings. Fields are added, never renamed, within one version.
 */

import type { ConnectionOmission, ConnectionRecord } from './connection-types.js';
import type { Leftovers } from './connections/types.js';
import type { CountersRecord } from './counters/types.js';

export type * from './connection-types.js';
export type * from './connections/types.js';
export type * from './counters/types.js';

/**
 * Wall-clock time: ISO 8601 in UTC, with microseconds.
 *
 * @pattern ^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])T([01]\d|2[0-3]):[0-5]\d:[0-5]\d\.\d{6}Z$
 */
export type DateText = string;

/**
 * Of the monotonic clock.
 *
 * @minimum 0
 * @maximum 1e10
 */
export type Seconds = number;

/**
 * @minimum 0
 * @maximum 65535
 * @asType integer
 */
export type Port = number;

/**
 * @minimum 0
 * @maximum 4294967295
 * @asType integer
 */
export type Uint32 = number;

export type NoteLevel = 'info' | 'warning' | 'error';

/** Something that happened to the packet at an event. */
export interface Note {
  level: NoteLevel;
  text: string;
  /** What to do about it. */
  advice?: string;
  /** What it means, as a word of docs/verdicts.md. */
  cause?: string;
  /** What the advice is about, as it was when the note was made; absent where it could not be read. */
  values?: NamedValue[];
}

/** A setting or a counter of the machine or of the packet's network namespace. */
export interface NamedValue {
  /** A sysctl such as net.core.somaxconn, or a counter such as TcpExtListenOverflows. */
  name: string;
  value: string;
}

/** Addresses and ports of a packet. Ports only with TCP and UDP. */
export interface Tuple {
  /** IPv4 dotted, IPv6 in the form of RFC 5952. */
  saddr: string;
  daddr: string;
  sport?: Port;
  dport?: Port;
}

export interface TcpOptions {
  /** Maximum segment size in bytes. */
  mss?: number;
  /** Shift count. */
  windowScale?: number;
  sackPermitted?: boolean;
  /** Blocks of sequence numbers that arrived: left edge, and the one after the right edge. */
  sack?: { left: number; right: number }[];
  /** Timestamp value and echo (RFC 7323). */
  tsval?: number;
  tsecr?: number;
  /** Kinds of options that are not decoded. */
  other?: number[];
  /** The header's option bytes are not well-formed. */
  malformed?: boolean;
}

export interface TcpInfo extends TcpOptions {
  seq: Uint32;
  ack: Uint32;
  /** In the order S A R P F U E C N; empty where none is set. */
  flags: string;
  /** As in the header, unscaled. */
  win: number;
  /** Bytes behind the header. */
  payload: number;
}

export interface IcmpInfo {
  type: number;
  code: number;
  /** Echo only. */
  id?: number;
  seq?: number;
}

export interface DropInfo {
  /** symbol+offset of the caller that freed the packet, with [module] where it is in one. */
  location: string;
  /** By this kernel's own name without SKB_DROP_REASON_; absent where this kernel gives none. */
  reason?: string;
  /** Why this free is no loss: the packet did its work; absent where it is one. */
  noLoss?: string;
}

export interface NetfilterInfo {
  /** ipv4, ipv6, inet, arp, bridge, netdev, or the number. */
  family?: string;
  /** PRE_ROUTING, INPUT, FORWARD, OUTPUT, POST_ROUTING, INGRESS, EGRESS, or the number. */
  hook?: string;
  table?: string;
  chain?: string;
  /** The rule that fits, where the kernel tells: where nftables traces the packet (meta nftrace set 1). */
  rule?: NftRule;
  /**
   * Where the chain dropped the packet and the kernel did not tell which rule it was: those that may have been, as they
   * were listed just after. Where it is one, no other of this table drops what comes through this chain.
   */
  suspects?: NftRule[];
  /** With --hooks: the functions that are registered at this hook. */
  hooks?: HookFunction[];
}

/** A rule of nftables, or the policy of a chain. */
export interface NftRule {
  /** Absent for a policy. */
  handle?: number;
  /** NF_DROP and the like, or NFT_JUMP and the like, where the kernel tells. */
  verdict?: string;
  /** Where the rule could be listed: its chain, and its text as `nft -a list` has it. */
  chain?: string;
  text?: string;
}

export interface SocketInfo {
  /** TCP state before, by the kernel's name without TCP_. */
  state?: string;
  /** TCP state after the function returned, where it is known. */
  newState?: string;
  /** Why the kernel sends a reset, by its own name without SK_RST_REASON_. */
  resetReason?: string;
  /** The newest timestamp of the peer that the socket or request remembers: an older one is refused by PAWS. */
  tsRecent?: number;
  /** Seconds since that was remembered; of a request an estimate, as the kernel makes it. */
  tsRecentAge?: number;
  /** The next sequence number that is expected. */
  rcvNxt?: number;
  /** The receive window that sequence numbers are held against: its first one, and the one after its last. */
  windowStart?: number;
  windowEnd?: number;
  /** Up to here the application has read. */
  copiedSeq?: number;
  /** Of a request: is it still there after the function? It is not where it became a socket or an RST ended it. */
  requestLeft?: boolean;
  /** Connections that wait for accept, and how many may (listening sockets). */
  acceptQueue?: number;
  acceptLimit?: number;
  /** Handshakes that wait for their last ACK, before and after the function (listening sockets). */
  synQueue?: number;
  synQueueAfter?: number;
  /** net.ipv4.tcp_max_syn_backlog and net.ipv4.tcp_syncookies as the listener had them. */
  maxSynBacklog?: number;
  syncookies?: number;
}

/** The process that owns a socket. */
export interface Owner {
  pid: number;
  /** Name of its main thread, at most 15 bytes. */
  comm: string;
}

/** One frame of a call stack, the innermost first. */
export interface StackFrame {
  /** 16 hexadecimal digits. */
  address: string;
  /** symbol+0xoffset, with [module] where it is in one. */
  symbol: string;
}

/** A netfilter hook function, in the order in which the hook calls them. */
export interface HookFunction {
  name: string;
  /** It returned the verdict. */
  blamed?: boolean;
}

/** The first bytes of the packet, as on the wire: a VLAN tag beside the data is where it stands there. */
export interface PacketBytes {
  /** They begin with an Ethernet header, or with that of IP or ARP. */
  link: 'ethernet' | 'raw';
  /**
   * Hexadecimal digits.
   *
   * @pattern ^([0-9a-f]{2}){1,2048}$
   */
  hex: string;
  /** Bytes of the whole packet, from the first of these on. */
  length: Uint32;
  /** More could be read behind them; else they are all that the skb has outside of pages. */
  cut?: boolean;
}

/** One place that the packet passed. */
export interface TraceEvent {
  /** Seconds of the monotonic clock. */
  t: Seconds;
  /** Index into the trace's `skbs`. */
  skb: number;
  func: string;
  stage: string;
  cpu: number;
  ifname?: string;
  ifindex?: number;
  /** Inode of the network namespace. */
  netns?: number;
  /** Process that was running; for packets that arrive this is any process. */
  pid?: number;
  comm?: string;
  /** Process that owns the packet's socket; absent where none is known. */
  owner?: Owner;
  mark?: number;
  /** skb->len at this place: what stands before skb->data, as headers that were passed already, does not count. */
  len?: number;
  /**
   * Length of the packet in bytes, from the IP or ARP header on, wherever it is: what --pkt-len asks for. Absent where
   * that header is not written yet.
   */
  pktLen?: number;
  proto?: Proto;
  /** Only where it differs from the trace's. */
  tuple?: Tuple;
  tcp?: TcpInfo;
  icmp?: IcmpInfo;
  /** What IP carries, by its number, where `proto` is ip or ipv6. */
  ipProtocol?: number;
  /** ARP operation: 1 request, 2 reply. */
  arpOp?: number;
  /** The skb had no headers yet: addresses are the socket's. */
  fromSocket?: boolean;
  /** The address of the skb that this one was made from, as index into `skbs`. */
  parent?: number;
  netfilter?: NetfilterInfo;
  socket?: SocketInfo;
  /** Return value where it was asked for or means something; a string where a double cannot hold it. */
  ret?: number | string;
  drop?: DropInfo;
  /** At places where packets may be seen first, and so where live filters are asked; in traces and with --drop. */
  bytes?: PacketBytes;
  /** With --trace-stack. */
  stack?: StackFrame[];
  notes: Note[];
}

export type Proto = 'tcp' | 'udp' | 'icmp' | 'icmpv6' | 'arp' | 'ip' | 'ipv6' | 'unknown';

/**
 * delivered: taken by a socket here, by a packet socket, or by a protocol of the kernel; sent: handed to a driver;
 * forwarded: came in by one interface and went out by another; dropped: lost, or refused without an answer to its sender
 * but an ACK; rejected: not taken, and answered with RST, ICMP error or SYN cookie; worked: it had done its work here, or
 * there was none for it, and was freed (also where the kernel frees it as dropped); merged: it went into another packet;
 * unknown: what was seen does not tell.
 */
export type Outcome = 'delivered' | 'sent' | 'forwarded' | 'dropped' | 'rejected' | 'worked' | 'merged' | 'unknown';

export interface Verdict {
  outcome: Outcome;
  /** Stable word for scripts, of the list in docs/verdicts.md. */
  cause: string;
  /** What else holds, words of the same list: nat-rewritten, retransmission, gso-split ... */
  facts: string[];
  /** One sentence for people. */
  text: string;
  advice: string[];
  /** What says so: `function: what it did or saw`, with the numbers. */
  evidence: string[];
}

/** Something in a trace that an administrator should look at. */
export interface Finding {
  level: NoteLevel;
  func: string;
  /** The function's stage. */
  group: string;
  message: string;
  /** Of a free: which function freed the packet. */
  location?: string;
  /** By the kernel's name, as in DropInfo. */
  dropReason?: string;
  /** Why the kernel sent a reset, by its name. */
  resetReason?: string;
  /** TCP state of the socket that a reset is about; `no socket` where there is none. */
  state?: string;
  /** Functions at the netfilter hook, in their order. */
  hooks?: HookFunction[];
  advice: string[];
  values: NamedValue[];
}

/** The way of one packet, with its clones and segments, through the kernel. */
export interface SkbTrace {
  /** Version of this format. */
  v: 1;
  type: 'trace';
  /** Unique among the traces of this run of the machine: a 64-bit number in hexadecimal. */
  id: string;
  /** Addresses of the skbs, in order of appearance, 16 hexadecimal digits each. */
  skbs: string[];
  proto: Proto;
  tuple?: Tuple;
  /** Seconds of the monotonic clock. */
  start: Seconds;
  /** Wall-clock time of the first event, ISO 8601 in UTC, with microseconds. */
  date: DateText;
  durationUs: number;
  /** False where events were lost while the trace was open. */
  complete: boolean;
  /**
   * Why the trace was closed: all skbs freed; an address used again, so that its free must have been missed; silent for
   * too long; or the end of the run.
   */
  closed: 'freed' | 'reused' | 'age' | 'end';
  events: TraceEvent[];
  verdict: Verdict;
  /** With --diag: in the order of the events; the text numbers them from 1. */
  findings?: Finding[];
}

/** One hit of a probe by itself: --basic, --drop and --monitor. */
export interface PacketEvent {
  v: 1;
  type: 'packet';
  mode: 'basic' | 'drop' | 'monitor';
  /** Address of the skb, 16 hexadecimal digits; absent where the event carries none. */
  skbAddress?: string;
  proto: Proto;
  tuple?: Tuple;
  /** As in SkbTrace. */
  date: DateText;
  event: TraceEvent;
}

/** What a socket is doing. Local address and port are the tuple's `saddr` and `sport`. */
export interface SocketDetails {
  /** TCP state by the kernel's name without TCP_. */
  state: string;
  /** Congestion state, such as CA_Open. */
  caState?: string;
  packetsOut?: number;
  retransOut?: number;
  /** Oldest sequence number that is not acknowledged (snd_una). */
  unacked?: number;
  /** Bytes queued to be sent, and received. */
  wmem?: number;
  rmem?: number;
  /** The pending timer and what is left of its time in seconds. */
  timer?: { kind: string; left: number };
  /** Connections that wait for accept, and how many may (listening sockets). */
  acceptQueue?: number;
  acceptLimit?: number;
}

/** Something that happened to a socket: --sock, --rtt-detail, --monitor. */
export interface SocketEvent {
  v: 1;
  type: 'socket';
  mode: 'sock' | 'rtt' | 'monitor';
  /** Seconds of the monotonic clock. */
  t: Seconds;
  /** As in SkbTrace. */
  date: DateText;
  func: string;
  stage: string;
  cpu: number;
  proto: Proto;
  tuple: Tuple;
  /** The interface of the route that the socket remembers, or that it is bound to. */
  ifname?: string;
  ifindex?: number;
  /** Inode of the network namespace. */
  netns?: number;
  owner?: Owner;
  socket: SocketDetails;
  /** Round-trip time of this acknowledgement, and the smallest of the last minutes, in microseconds. */
  rtt?: { us: number; minUs: number };
  stack?: StackFrame[];
  notes: Note[];
}

/** How long a packet was on its way between two functions: --latency. */
export interface LatencyEvent {
  v: 1;
  type: 'latency';
  skbAddress: string;
  proto: Proto;
  tuple?: Tuple;
  /** As in SkbTrace. */
  date: DateText;
  /** The hit at `to`. */
  event: TraceEvent;
  from: string;
  to: string;
  latencyUs: number;
}

/** A distribution, counted in the kernel since the start: --rtt, --latency-summary. */
export interface Histogram {
  v: 1;
  type: 'histogram';
  name: 'rtt' | 'latency';
  unit: 'us';
  /** Seconds of the monotonic clock. */
  t: Seconds;
  date: DateText;
  total: number;
  /** Values from `low` up to but not including `high`; empty buckets behind the last value are left out. */
  buckets: { low: number; high: number; count: number }[];
}

/** Hits of each function, counted in the kernel since the start: --func-stats. */
export interface FunctionStats {
  v: 1;
  type: 'functions';
  t: Seconds;
  date: DateText;
  functions: { func: string; stage: string; hits: number }[];
}

/** Events that --rate-limit left out. */
export interface Omission {
  v: 1;
  type: 'omitted';
  t: Seconds;
  date: DateText;
  count: number;
}

/** Packets that came faster than their events were read, so that not all of them were followed: see --sample. */
export interface Sampling {
  v: 1;
  type: 'sampled';
  t: Seconds;
  date: DateText;
  /** Packets that were followed since the last such record, or in the last second. */
  sampled: number;
  /** How many came, about. */
  of: number;
}

/** One line of the JSON output. */
export type OutputRecord =
  | SkbTrace
  | ConnectionRecord
  | ConnectionOmission
  | PacketEvent
  | SocketEvent
  | LatencyEvent
  | Histogram
  | FunctionStats
  | CountersRecord
  | Leftovers
  | Omission
  | Sampling;
