import { difference } from '../verdict/numbers.js';
import { type Judgement, type Reading, SIDES } from './reading.js';
import { isSyn, isSynAck, isToBeAcknowledged, type SegmentFact } from './segment-fact.js';

/** TCP_KEEPINTVL is of whole seconds; timers may be late, and their packets are seen later still. */
const MIN_INTERVAL = 1;
const [EARLY, LATE] = [0.9, 1.5];

/**
 * Keepalive: questions that nobody answered, whose number is one before the next, and then an RST with the next number at the
 * time of a further question (tcp_keepalive_timer()).
 */
export function byKeepalive(reading: Reading): Judgement | undefined {
  const at = reading.last(({ flags }) => flags.includes('R'));
  const reset = reading.segments[at];
  if (!reset) return undefined;
  const before = reading.segments.slice(0, at);
  const answer = before.findLastIndex(({ from }) => from !== reset.from);
  const probes = before.slice(answer + 1).filter((segment) => isProbeBefore(segment, reset));
  const [last, previous] = probes.toReversed();
  if (!last) return undefined;
  const interval = Math.max(MIN_INTERVAL, previous ? last.t - previous.t : 0);
  const pause = reset.t - last.t;
  const isInTime = pause >= EARLY * interval && (!previous || pause <= LATE * interval);
  return isInTime ? { cause: 'keepalive-timeout', at, also: probes } : undefined;
}

function isProbeBefore({ payload, flags, seq }: SegmentFact, reset: SegmentFact): boolean {
  return payload <= 1 && !/[SFR]/.test(flags) && difference(reset.seq, seq) === 1;
}

/** Something was sent again, never arrived, and its sender's socket is gone without an RST: tcp_write_timeout() sends none. */
export function byRetransmission(reading: Reading): Judgement | undefined {
  for (const side of SIDES) {
    if (reading.socketOf(side) !== 'CLOSE') continue;
    const isOf = (segment: SegmentFact) => reading.sideOf(segment) === side;
    const isInVain = (segment: SegmentFact) =>
      isToBeAcknowledged(segment) && reading.repetitions(segment) > 0 && !reading.hasArrived(segment);
    const at = reading.last((s) => isOf(s) && !isSyn(s) && !isSynAck(s) && isInVain(s));
    const segment = reading.segments[at];
    if (segment && reading.find((s) => isOf(s) && s.flags.includes('R'), at) < 0)
      return { cause: 'retransmission-timeout', at, also: reading.sendings(segment) };
  }
  return undefined;
}

/** One side's socket is gone, and the other's stands as if nothing had been. */
export function byVanishing(reading: Reading): Judgement | undefined {
  const gone = SIDES.find((side) => reading.socketOf(side) === 'CLOSE');
  const isKept = SIDES.some((side) => reading.socketOf(side) === 'ESTABLISHED');
  if (gone === undefined || !isKept) return undefined;
  return { cause: 'one-side-vanished', at: reading.last((segment) => reading.sideOf(segment) === gone) };
}
