import { isFree, lastAtWork } from '../explain/latency.js';
import { laterDate } from '../explain/wall-clock.js';
import type { LatencyEvent, NoteLevel, PacketBytes, PacketEvent, SkbTrace, TraceEvent, Tuple } from '../types.js';
import type { FunctionSet } from './function-set.js';

/** One event of a trace by itself, as it would have been reported live. */
export function packetEvent(trace: SkbTrace, event: TraceEvent, mode: PacketEvent['mode']): PacketEvent {
  const { proto = trace.proto, tuple = trace.tuple, ...rest } = event;
  const skbAddress = trace.skbs[event.skb];
  return {
    v: 1,
    type: 'packet',
    mode,
    ...(skbAddress === undefined ? {} : { skbAddress }),
    proto,
    ...(tuple ? { tuple } : {}),
    date: laterDate(trace.date, event.t - trace.start),
    event: { ...rest, skb: 0 },
  };
}

/**
 * The bytes of a packet at each event: its own, or those that were last seen of its skb, if addresses and ports are still
 * the same.
 */
export class LastBytes {
  readonly #trace: SkbTrace;
  readonly #last = new Map<number, TraceEvent>();

  constructor(trace: SkbTrace) {
    this.#trace = trace;
  }

  /** Takes the events in the order of their times. */
  at(event: TraceEvent): PacketBytes | undefined {
    if (event.parent !== undefined || event.fromSocket) return undefined;
    if (event.bytes) this.#last.set(event.skb, event);
    const last = this.#last.get(event.skb);
    return last && this.#isSame(last, event) ? last.bytes : undefined;
  }

  #isSame(a: TraceEvent, b: TraceEvent): boolean {
    const { proto, tuple } = this.#trace;
    return (a.proto ?? proto) === (b.proto ?? proto) && isSameTuple(a.tuple ?? tuple, b.tuple ?? tuple);
  }
}

function isSameTuple(a: Tuple | undefined, b: Tuple | undefined): boolean {
  return a?.saddr === b?.saddr && a?.daddr === b?.daddr && a?.sport === b?.sport && a?.dport === b?.dport;
}

/** A trace's events in the order of their times. */
export function inTimeOrder({ events }: SkbTrace): readonly TraceEvent[] {
  return [...events].sort((a, b) => a.t - b.t);
}

const ABNORMAL: readonly NoteLevel[] = ['warning', 'error'];

/** Does a note say that something is not as it should be? */
export function isAbnormal({ notes }: Pick<TraceEvent, 'notes'>): boolean {
  return notes.some(({ level }) => ABNORMAL.includes(level));
}

/** A free through kfree_skb that is a loss, or any where `all` are asked for. */
export function isDrop({ drop }: TraceEvent, all: boolean): boolean {
  return drop !== undefined && (all || drop.noLoss === undefined);
}

/**
 * How long the packet was on its way: from its first function to the last before the free, to the free itself with
 * `toFree`, or to the last of `ends`. Undefined where it did not come so far, or was seen at one place only.
 */
export function latencyEvent(
  trace: SkbTrace,
  { toFree, ends }: { toFree: boolean; ends?: FunctionSet | undefined },
): LatencyEvent | undefined {
  const [first] = trace.events;
  let last = ends ? trace.events.findLast(({ func }) => ends.has(func)) : lastAtWork(trace);
  if (toFree && !ends) last = trace.events.findLast(({ drop, func }) => drop || isFree(func));
  if (!first || !last || (last.t <= first.t && last.func === first.func)) return undefined;
  const { type: _t, mode: _m, skbAddress = '', ...packet } = packetEvent(trace, last, 'basic');
  return {
    ...packet,
    type: 'latency',
    skbAddress,
    from: first.func,
    to: last.func,
    // times are nanoseconds
    latencyUs: Math.round((last.t - first.t) * 1e9) / 1e3,
  };
}
