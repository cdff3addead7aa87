import type { ConnectionRecord, ConnectionVerdict } from '../../types.js';
import { connectionCause, packetCause } from '../causes/index.js';
import { adviceWithValues } from '../notes.js';
import { difference, endOf } from '../verdict/numbers.js';
import { byKeepalive, byRetransmission, byVanishing } from './given-up.js';
import { type ConnectionFacts, type Judgement, Reading, SIDES, type Side } from './reading.js';
import { isRefusedReset } from './refused-reset.js';
import { isSyn, isSynAck, isTelling, type SegmentFact } from './segment-fact.js';

type Judged = Pick<ConnectionRecord, 'established' | 'synRetransmissions' | 'verdict'> & {
  endedBy: Side | undefined;
};

const MAX_EVIDENCE = 12;
/** Where one side ended it: what that did. */
const ENDED_BY: Readonly<Record<string, string>> = {
  'connection-reset': 'sent it',
  'connection-reset-in-handshake': 'sent it',
  'connection-closed': 'was the first',
  'connection-half-closed': 'was the first',
  'keepalive-timeout': 'gave it up',
  'retransmission-timeout': 'gave it up',
  'one-side-vanished': 'is gone',
};

/** What an RST did to it. */
function byReset(reading: Reading): Judgement | undefined {
  const { serverStands } = reading;
  const worked = reading.last((s) => s.flags.includes('R') && s.cause === 'rst-did-its-work');
  const refused = reading.find((s) => isRefusedReset(s.flags, s.cause) && reading.sideOf(s) !== 'server');
  const isStanding = serverStands >= 0 && worked < serverStands && !endsByFin(reading, serverStands);
  if (refused >= 0 && refused < serverStands && isStanding && !goesOn(reading, refused))
    return { cause: 'stray-connection', at: refused };
  // one that comes before has ended another connection with the same ports, as in TIME_WAIT
  if (worked < 0 || serverStands > worked) return undefined;
  const segment = reading.segments[worked];
  const isFromServer = segment !== undefined && reading.sideOf(segment) === 'server';
  // what made it stand is known by what a function returned, which may be missing; the RST tells it too
  const hasStood = (serverStands >= 0 && serverStands < worked) || reading.clientStands || segment?.meetsEstablished;
  // the answer to a SYN
  if (isFromServer && !hasStood && reading.find(isSynAck) < 0) return { cause: 'connection-refused', at: worked };
  const wasHandshake = reading.find(isSyn) >= 0 && !hasStood;
  return { cause: wasHandshake ? 'connection-reset-in-handshake' : 'connection-reset', at: worked };
}

/**
 * Did the client go on after its RST, so that it was not the client's? Then it sends beyond the RST's number, or acknowledges
 * what the server sent: that was only after the ACK had come.
 */
function goesOn(reading: Reading, reset: number): boolean {
  const { seq = 0 } = reading.segments[reset] ?? {};
  const synAck = reading.segments.find(isSynAck);
  const isLater = (s: SegmentFact) =>
    difference(endOf(s), seq) > 0 || (synAck !== undefined && difference(s.ack, endOf(synAck)) > 0);
  return reading.find((s) => reading.sideOf(s) === 'client' && !/[SR]/.test(s.flags) && isLater(s), reset) >= 0;
}

function endsByFin(reading: Reading, after: number): boolean {
  return reading.find((s) => s.flags.includes('F'), after) >= 0;
}

function byHandshake(reading: Reading): Judgement | undefined {
  const syn = reading.last((s) => isSyn(s) && !s.isNotice);
  if (reading.segments[syn]?.cause === 'neighbour-failed' && reading.find(isSynAck) < 0)
    return { cause: 'next-hop-unreachable', at: syn };
  const refusal = reading.last((s) => isSyn(s) && s.outcome === 'rejected' && s.cause !== 'syn-cookie-sent');
  if (refusal >= 0 && reading.find(isSynAck) < 0) return { cause: 'connection-refused', at: refusal };
  const overflow = reading.last((s) => !/[SR]/.test(s.flags) && s.cause === 'accept-queue-full');
  if (overflow >= 0 && reading.serverStands < 0) return { cause: 'server-has-no-connection', at: overflow };
  return undefined;
}

function byFin(reading: Reading): Judgement | undefined {
  const first = reading.find((s) => s.flags.includes('F'));
  const { from } = reading.segments[first] ?? {};
  if (from === undefined) return undefined;
  const isBoth = reading.find((s) => s.flags.includes('F') && s.from !== from) >= 0;
  return { cause: isBoth ? 'connection-closed' : 'connection-half-closed', at: first };
}

function byTraffic(reading: Reading, packets: { delivered: boolean }): Judgement {
  const repeated = reading.last((s) => !isSyn(s) && !isSynAck(s) && reading.repetitions(s) > 1);
  const segment = reading.segments[repeated];
  if (segment && !reading.hasArrived(segment))
    return { cause: 'retransmitting', at: repeated, also: reading.sendings(segment) };
  // nothing that was seen ended it
  if (SIDES.some((side) => reading.socketOf(side) === 'CLOSE')) return { cause: 'connection-unclear', at: -1 };
  const isStanding = reading.serverStands >= 0 || reading.clientStands;
  if (isStanding) return { cause: 'connection-open', at: reading.serverStands };
  const synAck = reading.last(isSynAck);
  const syn = reading.last(isSyn);
  if (syn >= 0 && synAck < 0) {
    const isLost = reading.segments[syn]?.outcome === 'dropped';
    return { cause: isLost || reading.synRetransmissions > 0 ? 'syn-unanswered' : 'connection-unclear', at: syn };
  }
  const synAcks = reading.segments.filter(isSynAck);
  if (synAcks.length > 1 || synAcks.some((s) => s.retransmissions > 0 || s.outcome === 'dropped'))
    return { cause: 'syn-ack-unanswered', at: synAck };
  const stranger = reading.last((s) => s.cause === 'no-connection' || s.cause === 'time-wait-reset');
  if (stranger >= 0) return { cause: 'segments-of-no-connection', at: stranger };
  return { cause: packets.delivered && synAck < 0 ? 'connection-open' : 'connection-unclear', at: -1 };
}

/** Causes of connections whose segments did not arrive: where the last of them was lost says more than that one was. */
const LOST = new Set(['syn-unanswered', 'syn-ack-unanswered', 'retransmitting', 'retransmission-timeout']);
const OF_ITSELF =
  'an RST with ACK answers nothing: its application closed the socket with data unread (TcpExtTCPAbortOnClose) or with SO_LINGER 0 (TcpExtTCPAbortOnData), or the kernel gave the connection up (TcpExtTCPAbortOnTimeout, TcpExtTCPAbortOnMemory)';

interface Reason {
  text: string;
  advice: string | undefined;
}

/** What the packets tell of why it ended so; undefined where they do not. */
function reasonOf(reading: Reading, { cause, at }: Judgement): Reason | undefined {
  const segment = reading.segments[at];
  if (!segment) return undefined;
  if (LOST.has(cause)) {
    const last = reading.sendings(segment).findLast(({ isNotice }) => !isNotice);
    if (last?.outcome !== 'dropped' && !(last?.outcome === 'rejected' && last.cause !== 'syn-cookie-sent'))
      return undefined;
    const { sentence, advice } = packetCause(last.cause);
    const name = isSyn(last) ? 'SYN' : isSynAck(last) ? 'SYN-ACK' : 'segment';
    return { text: `; the ${name} was lost here: ${sentence}`, advice };
  }
  if (cause !== 'connection-reset') return undefined;
  // tcp_v4_send_reset(): the number that the segment acknowledged
  const answered = reading.segments.findLast(
    (s) => s.outcome === 'rejected' && s.from !== segment.from && s.flags.includes('A') && s.ack === segment.seq,
  );
  if (answered) {
    const { sentence, advice } = packetCause(answered.cause);
    return { text: `; it answered a segment: ${sentence}`, advice };
  }
  // of a Linux host that is seen here
  const isOwn = segment.flags.includes('A') && segment.sender?.isBeforeNat === true;
  return isOwn ? { text: '', advice: OF_ITSELF } : undefined;
}

function segmentText(reading: Reading, segment: SegmentFact): string {
  const side = reading.sideOf(segment) ?? segment.from.replace(/ (\d+)$/, ':$1');
  const head = `${segment.t.toFixed(6)} ${side} ${segment.flags || 'no flags'} seq ${segment.seq}`;
  const { retransmissions } = segment;
  const again = retransmissions > 0 ? `sent again ${retransmissions === 1 ? 'once' : `${retransmissions} times`}` : '';
  if (segment.isNotice) return `${head}: ${again}, as the kernel says`;
  const made = segment.establishes ? ', which established the socket' : '';
  return `${head}: ${segment.outcome} (${segment.cause})${made}${again && `, ${again}`}`;
}

function evidenceOf(reading: Reading, also: readonly SegmentFact[]): string[] {
  const telling = reading.segments.filter((segment) => isTelling(segment) || also.includes(segment));
  const lines = telling.map((segment) => segmentText(reading, segment));
  const half = MAX_EVIDENCE / 2;
  if (lines.length > MAX_EVIDENCE)
    lines.splice(half, lines.length - MAX_EVIDENCE, `${lines.length - MAX_EVIDENCE} more`);
  return [...lines, ...SIDES.flatMap((side) => socketText(side, reading.socketOf(side)))];
}

function socketText(side: Side, state: string | undefined): string[] {
  if (state === undefined) return [];
  return [`at the end: the ${side} has ${state === 'CLOSE' ? 'no socket' : `a socket in ${state}`}`];
}

/** `delivered`: data of it, of which no more was kept, reached its receiver. */
export function judgeConnection(facts: ConnectionFacts, packets: { delivered: boolean; incomplete: number }): Judged {
  const reading = new Reading(facts);
  const judgement =
    byKeepalive(reading) ??
    byReset(reading) ??
    byHandshake(reading) ??
    byRetransmission(reading) ??
    byFin(reading) ??
    byVanishing(reading) ??
    byTraffic(reading, packets);
  const { cause: id, at, also = [] } = judgement;
  const cause = connectionCause(id);
  const decisive = reading.segments[at];
  const did = ENDED_BY[id];
  const endedBy = did && decisive ? reading.sideOf(decisive) : undefined;
  let text = cause.sentence;
  if (endedBy) text += ` (the ${endedBy} ${did})`;
  const reason = reasonOf(reading, judgement);
  if (reason) text += reason.text;
  if (reading.synRetransmissions > 0) text += `; the SYN was sent ${reading.synRetransmissions + 1} times`;
  if (packets.incomplete > 0) text += '; events were lost, so there may be more to it';
  const advice = reason?.advice ?? cause.advice;
  const verdict: ConnectionVerdict = {
    outcome: cause.outcome,
    cause: id,
    text,
    advice: advice ? [adviceWithValues(advice, [])] : [],
    evidence: evidenceOf(reading, also),
  };
  const established = reading.serverStands >= 0 || reading.clientStands;
  return { established, synRetransmissions: reading.synRetransmissions, endedBy, verdict };
}
