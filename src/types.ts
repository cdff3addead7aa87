/**
 * What a trace is: the public types of the library, and the source of schema/trace.schema.json.
 * 64-bit values that a double cannot hold are strings. Fields are added, never renamed, within one version.
 */

export type NoteLevel = 'info' | 'warning' | 'error';

/** Something that happened to the packet at an event. */
export interface Note {
  level: NoteLevel;
  text: string;
  /** What to do about it. */
  advice?: string;
}

/** Addresses and ports of a packet. Ports only with TCP and UDP. */
export interface Tuple {
  /** IPv4 dotted, IPv6 in the form of RFC 5952. */
  saddr: string;
  daddr: string;
  sport?: number;
  dport?: number;
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
  seq: number;
  ack: number;
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
}

export interface NetfilterInfo {
  /** ipv4, ipv6, inet, arp, bridge, netdev, or the number. */
  family?: string;
  /** PRE_ROUTING, INPUT, FORWARD, OUTPUT, POST_ROUTING, INGRESS, EGRESS, or the number. */
  hook?: string;
  table?: string;
  chain?: string;
}

export interface SocketInfo {
  /** TCP state before, by the kernel's name without TCP_. */
  state?: string;
  /** TCP state after the function returned, where it is known. */
  newState?: string;
  /** Why the kernel sends a reset, by its own name without SK_RST_REASON_. */
  resetReason?: string;
  /** The newest timestamp of the peer that the request remembers: an older one is refused by PAWS. */
  tsRecent?: number;
}

/** One place that the packet passed. */
export interface TraceEvent {
  /** Seconds of the monotonic clock. */
  t: number;
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
  mark?: number;
  /** Length of the skb in bytes, at this place. */
  len?: number;
  proto?: Proto;
  /** Only where it differs from the trace's. */
  tuple?: Tuple;
  tcp?: TcpInfo;
  icmp?: IcmpInfo;
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
  notes: Note[];
}

export type Proto = 'tcp' | 'udp' | 'icmp' | 'icmpv6' | 'arp' | 'ip' | 'ipv6' | 'unknown';

/**
 * delivered: taken by a socket or a packet socket; sent: handed to a driver and freed there; dropped: freed as dropped;
 * freed: freed normally, without a sign of either; open: not freed when the trace was closed.
 */
export type Outcome = 'delivered' | 'sent' | 'dropped' | 'freed' | 'open';

export interface Verdict {
  outcome: Outcome;
  /** Stable word for scripts: the drop reason in lower case, or what the notes say. */
  cause: string;
  text: string;
  advice: string[];
  /** The events that say so: `function: note`. */
  evidence: string[];
}

/** The way of one packet, with its clones and segments, through the kernel. */
export interface SkbTrace {
  /** Version of this format. */
  v: 1;
  /** Unique among the traces of this run of the machine: a 64-bit number in hexadecimal. */
  id: string;
  /** Addresses of the skbs, in order of appearance, 16 hexadecimal digits each. */
  skbs: string[];
  proto: Proto;
  tuple?: Tuple;
  /** Seconds of the monotonic clock. */
  start: number;
  /** Wall-clock time of the first event, ISO 8601 in UTC, with microseconds. */
  date: string;
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
}
