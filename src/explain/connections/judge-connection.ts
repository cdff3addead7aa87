import type { ConnectionRecord, ConnectionVerdict } from '../../types.js';
import { connectionCause } from '../causes/index.js';
import { adviceWithValues } from '../notes.js';
import { isSyn, isSynAck, type SegmentFact } from './segment-fact.js';

/** Of one connection, in the order of their times. */
export interface ConnectionFacts {
  segments: readonly SegmentFact[];
  /** Endpoint that opened it; undefined where neither SYN nor SYN-ACK was seen. */
  client: string | undefined;
}

type Judged = Pick<ConnectionRecord, 'established' | 'synRetransmissions' | 'verdict'> & {
  endedBy: 'client' | 'server' | undefined;
};

const MAX_EVIDENCE = 12;
/** A client's RST that the server refused while its handshake was under way. */
const REFUSED_IN_HANDSHAKE = new Set([
  'paws-reject-in-handshake',
  'rst-outside-window',
  'segment-before-handshake-ack',
]);

class Reading {
  readonly segments: readonly SegmentFact[];
  readonly client: string | undefined;

  constructor({ segments, client }: ConnectionFacts) {
    this.segments = segments;
    this.client = client;
  }

  sideOf({ from }: SegmentFact): 'client' | 'server' | undefined {
    if (this.client === undefined) return undefined;
    return from === this.client ? 'client' : 'server';
  }

  find(test: (segment: SegmentFact) => boolean, after = -1): number {
    return this.segments.findIndex((segment, i) => i > after && test(segment));
  }

  last(test: (segment: SegmentFact) => boolean): number {
    return this.segments.findLastIndex(test);
  }

  get syns(): SegmentFact[] {
    return this.segments.filter(isSyn);
  }

  /** Sent again by the same trace, or seen again as another packet. */
  get synRetransmissions(): number {
    const { syns } = this;
    return Math.max(0, syns.length - 1) + syns.reduce((sum, { retransmissions }) => sum + retransmissions, 0);
  }

  /**
   * How often these data were sent again: by the segment's own trace, and as other packets. Not every kernel shows what sends
   * again: where the compiler put __tcp_retransmit_skb() into its callers, each time looks like a packet of its own.
   */
  repetitions({ from, seq, payload, retransmissions }: SegmentFact): number {
    if (payload === 0) return retransmissions;
    const same = this.segments.filter((s) => s.from === from && s.seq === seq && s.payload > 0);
    return same.length - 1 + same.reduce((sum, s) => sum + s.retransmissions, 0);
  }

  /** The segment that established the server's socket. */
  get serverStands(): number {
    return this.find((s) => s.establishes && !isSynAck(s) && this.sideOf(s) !== 'server');
  }

  get clientStands(): boolean {
    return this.segments.some((s) => s.establishes && isSynAck(s));
  }
}

/** What an RST did to it. */
function byReset(reading: Reading): { cause: string; at: number } | undefined {
  const { serverStands } = reading;
  const worked = reading.last((s) => s.flags.includes('R') && s.cause === 'rst-did-its-work');
  const refused = reading.find(
    (s) => s.flags.includes('R') && REFUSED_IN_HANDSHAKE.has(s.cause) && reading.sideOf(s) !== 'server',
  );
  if (refused >= 0 && serverStands > refused && worked < serverStands && !endsByFin(reading, serverStands)) {
    return { cause: 'stray-connection', at: refused };
  }
  // one that comes before has ended another connection with the same ports, as in TIME_WAIT
  if (worked < 0 || serverStands > worked) return undefined;
  const segment = reading.segments[worked];
  const isFromServer = segment !== undefined && reading.sideOf(segment) === 'server';
  const hasStood = serverStands >= 0 && serverStands < worked;
  // the answer to a SYN
  if (isFromServer && !hasStood && !reading.clientStands && reading.find(isSynAck) < 0)
    return { cause: 'connection-refused', at: worked };
  const wasHandshake = reading.find(isSyn) >= 0 && !hasStood && !reading.clientStands;
  return { cause: wasHandshake ? 'connection-reset-in-handshake' : 'connection-reset', at: worked };
}

function endsByFin(reading: Reading, after: number): boolean {
  return reading.find((s) => s.flags.includes('F'), after) >= 0;
}

function byHandshake(reading: Reading): { cause: string; at: number } | undefined {
  const refusal = reading.last((s) => isSyn(s) && s.outcome === 'rejected' && s.cause !== 'syn-cookie-sent');
  if (refusal >= 0 && reading.find(isSynAck) < 0) return { cause: 'connection-refused', at: refusal };
  const overflow = reading.last((s) => !/[SR]/.test(s.flags) && s.cause === 'accept-queue-full');
  if (overflow >= 0 && reading.serverStands < 0) return { cause: 'server-has-no-connection', at: overflow };
  return undefined;
}

function byFin(reading: Reading): { cause: string; at: number } | undefined {
  const first = reading.find((s) => s.flags.includes('F'));
  const { from } = reading.segments[first] ?? {};
  if (from === undefined) return undefined;
  const isBoth = reading.find((s) => s.flags.includes('F') && s.from !== from) >= 0;
  return { cause: isBoth ? 'connection-closed' : 'connection-half-closed', at: first };
}

function byTraffic(reading: Reading, packets: { delivered: boolean }): { cause: string; at: number } {
  const repeated = reading.last((s) => !isSyn(s) && !isSynAck(s) && reading.repetitions(s) > 1);
  if (repeated >= 0) {
    const { from } = reading.segments[repeated] ?? {};
    if (reading.find((s) => s.from !== from, repeated) < 0) return { cause: 'retransmitting', at: repeated };
  }
  const isStanding = reading.serverStands >= 0 || reading.clientStands;
  if (isStanding) return { cause: 'connection-open', at: reading.serverStands };
  const synAck = reading.last(isSynAck);
  const syn = reading.last(isSyn);
  if (syn >= 0 && synAck < 0) {
    const isLost = reading.segments[syn]?.outcome === 'dropped';
    return { cause: isLost || reading.synRetransmissions > 0 ? 'syn-unanswered' : 'connection-unclear', at: syn };
  }
  const synAcks = reading.segments.filter(isSynAck);
  if (synAcks.length > 1 || synAcks.some((s) => s.retransmissions > 0))
    return { cause: 'syn-ack-unanswered', at: synAck };
  const stranger = reading.last((s) => s.cause === 'no-connection' || s.cause === 'time-wait-reset');
  if (stranger >= 0) return { cause: 'segments-of-no-connection', at: stranger };
  return { cause: packets.delivered && synAck < 0 ? 'connection-open' : 'connection-unclear', at: -1 };
}

function segmentText(reading: Reading, segment: SegmentFact): string {
  const side = reading.sideOf(segment) ?? segment.from.replace(/ (\d+)$/, ':$1');
  const again = segment.retransmissions > 0 ? `, sent again ${segment.retransmissions} times` : '';
  const made = segment.establishes ? ', which established the socket' : '';
  return `${segment.t.toFixed(6)} ${side} ${segment.flags || 'no flags'} seq ${segment.seq}: ${segment.outcome} (${segment.cause})${made}${again}`;
}

function evidenceOf(reading: Reading): string[] {
  const lines = reading.segments.map((segment) => segmentText(reading, segment));
  if (lines.length <= MAX_EVIDENCE) return lines;
  const half = MAX_EVIDENCE / 2;
  return [...lines.slice(0, half), `${lines.length - MAX_EVIDENCE} more`, ...lines.slice(-half)];
}

/** `delivered`: data of it, of which no more was kept, reached its receiver. */
export function judgeConnection(facts: ConnectionFacts, packets: { delivered: boolean; incomplete: number }): Judged {
  const reading = new Reading(facts);
  const { cause: id, at } = byReset(reading) ?? byHandshake(reading) ?? byFin(reading) ?? byTraffic(reading, packets);
  const cause = connectionCause(id);
  const decisive = reading.segments[at];
  const isEnd = ['connection-reset', 'connection-reset-in-handshake', 'connection-closed', 'connection-half-closed'];
  const endedBy = decisive && isEnd.includes(id) ? reading.sideOf(decisive) : undefined;
  let text = cause.sentence;
  if (endedBy) text += ` (the ${endedBy} ${id.includes('reset') ? 'sent it' : 'was the first'})`;
  if (reading.synRetransmissions > 0) text += `; the SYN was sent ${reading.synRetransmissions + 1} times`;
  if (packets.incomplete > 0) text += '; events were lost, so there may be more to it';
  const verdict: ConnectionVerdict = {
    outcome: cause.outcome,
    cause: id,
    text,
    advice: cause.advice ? [adviceWithValues(cause.advice, [])] : [],
    evidence: evidenceOf(reading),
  };
  const established = reading.serverStands >= 0 || reading.clientStands;
  return { established, synRetransmissions: reading.synRetransmissions, endedBy, verdict };
}
