import type { SkbTrace } from '../types.js';
import type { CounterRule } from './counter-definition.js';
import { findsNoRoom } from './match-rule.js';
import { goesOut, remember, wayBack, wayOf } from './way.js';

/** Sendings that wait for those before them: traces are finished in another order. When there are more, the older half is judged. */
const MAX_WAITING = 32_768;
/** Where the header has been written. */
const WITH_HEADER = new Set(['__ip_local_out', '__ip6_local_out', 'ip6_output', 'net_dev_queue']);
/** Connections whose last window is remembered; the oldest go first. */
const MAX_WAYS = 65_536;

/** What verdicts are counted by: all that is kept of a trace. */
export type CountedTrace = Pick<SkbTrace, 'id'> & { verdict: Pick<SkbTrace['verdict'], 'outcome' | 'cause'> };

/** A window that was offered, or that the socket had no room for what came: then it offers none next, which is not counted (ICSK_ACK_NOMEM). */
interface Sending {
  netns: number;
  way: string;
  t: number;
  /** Undefined: there was no room. */
  isZero: boolean | undefined;
  flags: string;
  trace: CountedTrace;
}

/** A sending with which a socket's window became zero, or opened again. */
export interface WindowChange {
  netns: number;
  t: number;
  window: NonNullable<CounterRule['window']>;
  trace: CountedTrace;
}

/** The times at which a socket of this host sent it, each with the window that the segment offered (tcp_select_window()). */
function sendingsOf(trace: SkbTrace): Sending[] {
  const { id, events, verdict } = trace;
  const [first] = events;
  const way = wayOf(trace);
  if (trace.proto !== 'tcp' || way === undefined || first?.netns === undefined || !goesOut(first)) return [];
  const { netns } = first;
  const counted = { id, verdict: { outcome: verdict.outcome, cause: verdict.cause } };
  // the header is written behind it
  let isToCome = false;
  return events.flatMap(({ t, tcp, func, netns: where }) => {
    if (func === '__tcp_transmit_skb') isToCome = true;
    if (!tcp || where !== netns || !WITH_HEADER.has(func)) return [];
    // answers that no socket makes are not sent there; with tracepoints alone an RST may be one
    const isOfSocket = isToCome || (func === 'net_dev_queue' && !tcp.flags.includes('R'));
    isToCome = false;
    if (!isOfSocket && !tcp.flags.includes('S')) return [];
    return [{ netns, way, t, isZero: tcp.win === 0, flags: tcp.flags, trace: counted }];
  });
}

/** Times at which there was no room for what came. */
function refusalsOf(trace: SkbTrace): Sending[] {
  const { id, proto, events, verdict } = trace;
  if (proto !== 'tcp') return [];
  return events.flatMap((event) => {
    const { t, netns } = event;
    const way = findsNoRoom(event) ? wayBack(trace, event) : undefined;
    return way === undefined || netns === undefined
      ? []
      : [{ netns, way, t, isZero: undefined, flags: '', trace: { id, verdict } }];
  });
}

/** Compares the windows that each socket offers, in the order in which they were sent. */
export class WindowHistory {
  #waiting: Sending[] = [];
  /** Was the last window of this way zero? Undefined behind a FIN: what follows may be of TIME_WAIT, which does not count. */
  readonly #ways = new Map<string, boolean | undefined>();
  /** Those that had no room, and have not said so yet. */
  readonly #refusing = new Set<string>();

  add(trace: SkbTrace): WindowChange[] {
    this.#waiting.push(...sendingsOf(trace), ...refusalsOf(trace));
    return this.#waiting.length > MAX_WAITING ? this.#judge(MAX_WAITING / 2) : [];
  }

  /** Of all that is left. */
  end(): WindowChange[] {
    return this.#judge(this.#waiting.length);
  }

  #judge(count: number): WindowChange[] {
    this.#waiting.sort((a, b) => a.t - b.t);
    return this.#waiting.splice(0, count).flatMap(({ netns, way, t, isZero, flags, trace }) => {
      if (isZero === undefined) {
        if (this.#refusing.size < MAX_WAYS) this.#refusing.add(way);
        return [];
      }
      const hadNoRoom = this.#refusing.delete(way);
      const isKnown = this.#ways.has(way);
      const wasZero = this.#ways.get(way);
      const isNew = flags.includes('S');
      if (isKnown && wasZero === undefined && !isNew) return [];
      remember(this.#ways, way, flags.includes('F') ? undefined : isZero, MAX_WAYS);
      if (!isKnown || isNew || isZero === wasZero || (isZero && hadNoRoom)) return [];
      return [{ netns, t, window: isZero ? ('closed' as const) : ('opened' as const), trace }];
    });
  }
}
