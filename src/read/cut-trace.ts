import { isFree } from '../explain/latency.js';
import { laterDate } from '../explain/wall-clock.js';
import type { OutputRecord, SkbTrace, StackFrame, TraceEvent } from '../types.js';
import type { FunctionSet } from './function-set.js';

/** Which events of traces are shown; what is undefined changes nothing. */
export interface EventChoice {
  /** These, and the frees and clones of the packets that have one of them. */
  only?: FunctionSet | undefined;
  without?: FunctionSet | undefined;
  /** An skb's events begin at the first of these. */
  begin?: FunctionSet | undefined;
  /** An skb's events end at the first of these. */
  end?: FunctionSet | undefined;
  noClones: boolean;
}

/** Is this function shown by itself? */
export function isChosen({ only, without }: EventChoice, func: string): boolean {
  // both are asked: each notes which of its words it has met
  const isMeant = only?.has(func) ?? true;
  return !without?.has(func) && isMeant;
}

/** Which skbs of one trace are followed, while its events go by. */
class Following {
  readonly #choice: EventChoice;
  readonly #begun = new Set<number>();
  readonly #ended = new Set<number>();

  constructor(choice: EventChoice) {
    this.#choice = choice;
  }

  /** Is the event within what is followed? */
  includes({ skb, parent, func }: TraceEvent): boolean {
    const { begin, end, noClones } = this.#choice;
    const begins = begin?.has(func) ?? true;
    const ends = end?.has(func) ?? false;
    if (parent !== undefined) {
      if (noClones) this.#ended.add(skb);
      else if (this.#begun.has(parent)) this.#begun.add(skb);
      return !noClones && this.#begun.has(skb);
    }
    if (this.#ended.has(skb)) return false;
    if (begins) this.#begun.add(skb);
    if (!this.#begun.has(skb)) return false;
    if (ends) this.#ended.add(skb);
    return true;
  }
}

/**
 * The trace with the events that are chosen; undefined where none is left that tells of the way. Times are
 * those of what is left, the verdict is the whole packet's.
 */
export function cutTrace(trace: SkbTrace, choice: EventChoice): SkbTrace | undefined {
  const { only, without, begin, end, noClones } = choice;
  if (!only && !without && !begin && !end && !noClones) return trace;
  const following = new Following(choice);
  let isShown = !only && trace.events.length === 0;
  const events = trace.events.filter((event) => {
    const isMeant = only?.has(event.func) ?? true;
    const isHidden = without?.has(event.func) ?? false;
    if (!following.includes(event) || isHidden) return false;
    if (isMeant) isShown = true;
    return isMeant || event.parent !== undefined || isFree(event.func);
  });
  const [first] = events;
  if (!isShown || !first) return undefined;
  if (events.length === trace.events.length) return trace;
  const last = events.at(-1) ?? first;
  return {
    ...trace,
    start: first.t,
    date: laterDate(trace.date, first.t - trace.start),
    durationUs: Math.round((last.t - first.t) * 1e6),
    events,
  };
}

/** What of events is shown only where it was asked for. */
export interface DetailChoice {
  /** Of all functions, of these, or of none. */
  stacks: 'all' | 'none' | FunctionSet;
  hooks: boolean;
}

/** Leaves out what is not asked for, in place. */
export function hideDetails(record: OutputRecord, { stacks, hooks }: DetailChoice): void {
  const hide = (holder: { func: string; stack?: StackFrame[] }) => {
    if (stacks !== 'all' && (stacks === 'none' || !stacks.has(holder.func))) delete holder.stack;
  };
  if (record.type === 'socket') hide(record);
  const events = record.type === 'trace' ? record.events : 'event' in record ? [record.event] : [];
  for (const event of events) {
    hide(event);
    if (!hooks) delete event.netfilter?.hooks;
  }
}
