import type { SkbTrace, TraceEvent } from '../types.js';
import { goesOut, remember, wayBack, wayOf } from './way.js';

const FREES = new Set(['__kfree_skb', '__kfree_skb_defer']);
const SENDS = new Set(['__tcp_transmit_skb', '__tcp_retransmit_skb', 'tcp_retransmit_skb']);
const ARRIVES = new Set(['tcp_v4_rcv', 'tcp_v6_rcv']);
const ICMP_SENDS = new Set(['__icmp_send', 'icmp_send', 'icmp6_send']);
/** Destination unreachable, time exceeded, parameter problem. */
const ICMP_ERRORS = new Set([3, 11, 12]);
const FIRST_ICMPV6_QUESTION = 128;
/** Timers are never early, and late by an eighth of their time at most (kernel/time/timer.c), beside what the machine is late. */
const LATE = 1 / 8;
/** TCP_RTO_MIN, less what a tick is: a pause that is shorter is no retransmission timer's. */
const MIN_PAUSE = 0.19;
/** TCP_TIMEOUT_INIT, and the tick in which timers are set. */
const [FIRST_SYN_PAUSE, TICK] = [1, 0.01];
const MAX_WAYS = 65_536;

/** How far a connection was that was given up: not established, established, closed by its sender (FIN). */
export type Stage = 'handshake' | 'connection' | 'closing';

/** A segment that its socket sent more than once, and then let go of. */
export interface LetGo {
  way: string;
  netns: number | undefined;
  lastSent: number;
  isSyn: boolean;
  /** At the earliest when the timer would have sent it again. */
  isInTime: boolean;
  /** While the CPU was idle, or ran another process than the socket's: no application's call. */
  isNoCall: boolean;
}

/** How long the timer after this pause runs at least: twice as long (tcp_retransmit_timer()). Undefined where none makes such a pause. */
function nextPause(pause: number, isSyn: boolean): number | undefined {
  if (!isSyn) return pause < MIN_PAUSE ? undefined : (2 * pause) / (1 + LATE);
  const timer = FIRST_SYN_PAUSE * 2 ** Math.floor(Math.log2((pause + TICK) / FIRST_SYN_PAUSE));
  return timer < FIRST_SYN_PAUSE || pause > timer * (1 + LATE) + TICK ? undefined : 2 * timer - TICK;
}

/** Undefined also where only tracepoints are traced: none tells that a socket lets go of what it sent. */
export function letGo(trace: SkbTrace): LetGo | undefined {
  const { events } = trace;
  const way = wayOf(trace);
  const [first] = events;
  const last = events.at(-1);
  if (!first || !last || way === undefined || !goesOut(first) || !FREES.has(last.func)) return undefined;
  const sent = events.filter(({ func, skb }) => SENDS.has(func) && skb === last.skb);
  const { t: lastSent = 0, tcp } = sent.at(-1) ?? {};
  // one function calls the other
  const sentBefore = sent.findLast(({ t }) => t < lastSent - TICK);
  if (!sentBefore) return undefined;
  const isSyn = tcp?.flags.includes('S') === true;
  const atLeast = nextPause(lastSent - sentBefore.t, isSyn);
  return {
    way,
    netns: first.netns,
    lastSent,
    isSyn,
    isInTime: atLeast !== undefined && last.t - lastSent >= atLeast,
    isNoCall: isOutsideOfOwner(last, events) && !events.some(({ func }) => ICMP_SENDS.has(func)),
  };
}

function isOutsideOfOwner({ pid }: TraceEvent, events: readonly TraceEvent[]): boolean {
  const owner = events.find((event) => event.owner)?.owner;
  return pid === 0 || (pid !== undefined && owner !== undefined && pid !== owner.pid);
}

function isIcmpError({ proto, events }: SkbTrace): boolean {
  const type = events.find(({ icmp }) => icmp)?.icmp?.type;
  if (type === undefined) return false;
  return proto === 'icmp' ? ICMP_ERRORS.has(type) : type < FIRST_ICMPV6_QUESTION;
}

function latest(map: Map<string, number>, way: string | undefined, events: readonly TraceEvent[]): void {
  const t = events.at(-1)?.t;
  if (way !== undefined && t !== undefined) remember(map, way, Math.max(t, map.get(way) ?? 0), MAX_WAYS);
}

/**
 * Which connections the retransmission timer gave up (tcp_write_err()). No packet tells, but the segment does that was sent last:
 * its socket let go of it, and neither had an answer come nor was it sent once more.
 */
export class GivenUp {
  /** When something was sent that way last, and when something came back. */
  readonly #sent = new Map<string, number>();
  readonly #arrived = new Map<string, number>();
  /** When the last ICMP error was seen in a namespace: it may be about any connection, and end one that is not established. */
  readonly #errors = new Map<number, number>();

  /** Of all traces, in any order, before it is asked. */
  see(trace: SkbTrace): void {
    const { events } = trace;
    if (isIcmpError(trace)) {
      for (const { netns, t } of events)
        if (netns !== undefined) remember(this.#errors, netns, Math.max(t, this.#errors.get(netns) ?? 0), MAX_WAYS);
    }
    if (trace.proto !== 'tcp') return;
    latest(
      this.#sent,
      wayOf(trace),
      events.filter(({ func }) => SENDS.has(func)),
    );
    const arrivals = events.filter(({ func }) => ARRIVES.has(func));
    const [arrival] = arrivals;
    if (arrival) latest(this.#arrived, wayBack(trace, arrival), arrivals);
  }

  /**
   * Where answers are seen of a connection, one that did not come tells. Else, and of a SYN, which an application may give up
   * at any time, the time does, or that no application was at work: under TCP_USER_TIMEOUT the last timer may be as short as
   * it likes.
   */
  has({ way, netns = 0, lastSent, isSyn, isInTime, isNoCall }: LetGo): boolean {
    const arrived = this.#arrived.get(way);
    if ((this.#sent.get(way) ?? 0) > lastSent + TICK) return false;
    if (arrived !== undefined && arrived >= lastSent) return false;
    if (isInTime) return true;
    return isSyn ? isNoCall && (this.#errors.get(netns) ?? 0) < lastSent : arrived !== undefined;
  }
}
