import { goesOut } from '../../counters/way.js';
import type { SkbTrace, Tuple } from '../../types.js';
import { endOf } from '../verdict/numbers.js';
import { isSentAgain } from '../verdict/sight.js';

/** What a connection remembers of one segment's trace. */
export interface SegmentFact {
  t: number;
  date: string;
  /** Sender and receiver as the first event had them. */
  from: string;
  to: string;
  /** Absent where it came in by an interface. */
  sender?: Sender;
  flags: string;
  seq: number;
  ack: number;
  payload: number;
  outcome: SkbTrace['verdict']['outcome'];
  cause: string;
  /** The segment made the receiver's socket ESTABLISHED. */
  establishes: boolean;
  /** It came to a socket that was ESTABLISHED. */
  meetsEstablished: boolean;
  /** How often it was sent again. */
  retransmissions: number;
  /** It only says that the segment was sent again: the tracepoint has the skb that waits for its ACK, what is sent is a clone. */
  isNotice: boolean;
  complete: boolean;
}

/** Who sent a segment from here. */
export interface Sender {
  /** Inode of its network namespace. */
  netns: number;
  /** The segment was seen before NAT, so its addresses and ports are the socket's. */
  isBeforeNat: boolean;
}

const BEFORE_NAT = new Set(['tcp-out', 'ip-out', 'ipv6-out']);
const RETRANSMITS = new Set(['__tcp_retransmit_skb', 'tcp_retransmit_skb']);

export function endpointKey(address: string, port: number | undefined): string {
  return `${address} ${port ?? 0}`;
}

/** One word for both ways. */
export function pairKey({ saddr, sport, daddr, dport }: Tuple): string {
  return [endpointKey(saddr, sport), endpointKey(daddr, dport)].sort().join(' ');
}

/** Undefined for what is no TCP segment with ports. */
export function factOf(trace: SkbTrace): SegmentFact | undefined {
  const { tuple, verdict } = trace;
  const tcp = trace.events.find((event) => event.tcp)?.tcp;
  if (trace.proto !== 'tcp' || !tuple || !tcp || !tuple.sport || !tuple.dport) return undefined;
  const sender = senderOf(trace);
  const isNotice = trace.events.every(({ func }) => RETRANSMITS.has(func));
  return {
    t: trace.start,
    date: trace.date,
    from: endpointKey(tuple.saddr, tuple.sport),
    to: endpointKey(tuple.daddr, tuple.dport),
    ...(sender ? { sender } : {}),
    flags: tcp.flags,
    seq: tcp.seq,
    ack: tcp.ack,
    payload: tcp.payload,
    outcome: verdict.outcome,
    cause: verdict.cause,
    establishes: trace.events.some(
      ({ socket }) => socket?.newState === 'ESTABLISHED' && socket.state !== 'ESTABLISHED',
    ),
    meetsEstablished: trace.events.some(({ stage, socket }) => stage === 'tcp-in' && socket?.state === 'ESTABLISHED'),
    retransmissions: isNotice ? trace.events.length : retransmissionsOf(trace),
    isNotice,
    complete: trace.complete,
  };
}

function senderOf({ events }: SkbTrace): Sender | undefined {
  const at = events.findIndex(({ netns }) => netns !== undefined);
  const netns = events[at]?.netns;
  if (netns === undefined || !events.slice(0, at + 1).every(goesOut)) return undefined;
  return { netns, isBeforeNat: BEFORE_NAT.has(events[0]?.stage ?? '') };
}

/**
 * Where the compiler put __tcp_retransmit_skb() into its callers, all that is seen is that the same segment passes
 * __tcp_transmit_skb() again.
 */
function retransmissionsOf({ events }: SkbTrace): number {
  const named = events.filter((_, i) => i > 0 && isSentAgain(events, i)).length;
  const transmissions = events.filter(({ func }) => func === '__tcp_transmit_skb').length;
  return Math.max(named, transmissions - 1);
}

/** All pairs of addresses that the packet had: NAT makes several. */
export function pairsOf(trace: SkbTrace): string[] {
  const tuples = [trace.tuple, ...trace.events.map((event) => event.tuple)];
  return [...new Set(tuples.flatMap((tuple) => (tuple?.sport && tuple.dport ? [pairKey(tuple)] : [])))];
}

/** Does it tell more than that data went through? */
export function isTelling({ flags, outcome, establishes, retransmissions }: SegmentFact): boolean {
  return /[SFR]/.test(flags) || establishes || retransmissions > 0 || (outcome !== 'delivered' && outcome !== 'sent');
}

/** Does it take sequence numbers, so that it is acknowledged, and sent again until it is? */
export function isToBeAcknowledged(segment: SegmentFact): boolean {
  return endOf(segment) !== segment.seq;
}

export function isSyn({ flags }: SegmentFact): boolean {
  return flags.includes('S') && !flags.includes('A');
}

export function isSynAck({ flags }: SegmentFact): boolean {
  return flags.includes('S') && flags.includes('A');
}
