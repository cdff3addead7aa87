import { isDeepStrictEqual } from 'node:util';
import { UsageError } from '../errors.js';
import { PACKET_CAUSES } from '../explain/causes/index.js';
import type { Outcome, SkbTrace, TraceEvent } from '../types.js';
import { type KernelVersion, type MaybeByKernel, resolveByKernel } from './by-kernel.js';
import { booleanOf, type Check, type Observation } from './check.js';
import { checkEventPart, checkFields, checkWords } from './check-words.js';
import type { Host } from './host.js';
import { isSentAgain, type SendingAgain, sendingAgainText, sendingsText, sendingTimes } from './sendings.js';
import { checkQuery, matchesQuery, queryText, type TraceQuery, traceText } from './trace-query.js';

const MAX_NEAR = 4;

/** What is there in place of what was looked for. */
function listText(items: readonly string[], what: string): string {
  if (items.length === 0) return `no ${what}`;
  const more = items.length > MAX_NEAR ? ` and ${items.length - MAX_NEAR} more` : '';
  return `${items.slice(0, MAX_NEAR).join('; ')}${more}`;
}

/** Part of an event: what is given must be there, objects in it as far as they are given. */
export type EventPart = { [K in keyof TraceEvent]?: Partial<NonNullable<TraceEvent[K]>> | TraceEvent[K] } & {
  /** Text of one of its notes, or a pattern for it. */
  note?: string | RegExp;
};

function hasPart(value: unknown, part: unknown): boolean {
  if (typeof part !== 'object' || part === null) return isDeepStrictEqual(value, part);
  if (typeof value !== 'object' || value === null) return false;
  return Object.entries(part).every(([key, inner]) => hasPart((value as Record<string, unknown>)[key], inner));
}

function hasNote(event: TraceEvent, note: string | RegExp): boolean {
  return event.notes.some(({ text }) => (typeof note === 'string' ? text.includes(note) : note.test(text)));
}

function isEvent(event: TraceEvent, func: string, { note, ...part }: EventPart): boolean {
  return event.func === func && hasPart(event, part) && (note === undefined || hasNote(event, note));
}

/** `tcp_v4_rcv` of `tcp_v4_rcv+0x65`; the compiler's suffixes do not count. */
function locationFunction(location: string): string {
  return location.replace(/\+0x.*$/, '').replace(/\.(constprop|isra|part|cold)\..*$/, '');
}

function partText(part: EventPart): string {
  const { note, ...rest } = part;
  const words = Object.keys(rest).length > 0 ? [JSON.stringify(rest)] : [];
  if (note !== undefined) words.push(`the note '${note}'`);
  return words.length > 0 ? ` with ${words.join(' and ')}` : '';
}

export interface ExpectOptions {
  /** What is expected can be seen only where functions are attached. */
  needs?: 'functions';
}
export const EXPECT_OPTIONS: readonly (keyof ExpectOptions)[] = ['needs'];

/** Where something is expected: what can be asked for. */
export interface Surroundings {
  /** Names of the case's hosts. */
  hosts: readonly string[];
  /** Is this function or tracepoint among what is to be traced, whether or not it could be attached? */
  isTraced(name: string): boolean;
}

/** Expectations on the packets that a query means. At least one must be there, and one must be as expected. */
export class TraceExpectation {
  readonly #query: TraceQuery;
  readonly #options: ExpectOptions;
  readonly #surroundings: Surroundings;
  readonly #add: (check: Check) => void;

  /** Throws UsageError for a query that no packet could answer. */
  constructor(query: TraceQuery, options: ExpectOptions, surroundings: Surroundings, add: (check: Check) => void) {
    checkQuery(query);
    checkFields('list of options', options, EXPECT_OPTIONS);
    this.#query = query;
    this.#options = options;
    this.#surroundings = surroundings;
    this.#add = add;
  }

  /**
   * It is freed through kfree_skb by this function (the kernel says where; what the compiler has inlined there has its name),
   * for this reason: the kernel's own name without SKB_DROP_REASON_, or undefined where this kernel gives none; any, where the
   * argument is left out. Such a free need be no loss: `toHaveOutcome` says which it is.
   */
  toBeDroppedAt(func: MaybeByKernel<string>, ...reasons: [] | [reason: MaybeByKernel<string | undefined>]): void {
    this.#some(
      (version) => {
        const reason = reasons.length > 0 ? (resolveByKernel(reasons[0], version) ?? 'no reason') : undefined;
        return `is dropped at ${resolveByKernel(func, version)}${reason === undefined ? '' : ` for ${reason}`}`;
      },
      (trace, { version }) =>
        trace.events.some(({ drop }) => {
          if (drop === undefined || locationFunction(drop.location) !== resolveByKernel(func, version)) return false;
          return reasons.length === 0 || drop.reason === resolveByKernel(reasons[0], version);
        }),
    );
  }

  /** None of these packets is freed through kfree_skb. */
  toNotBeDropped(): void {
    this.#every('is not dropped', (trace) => trace.events.every((event) => event.drop === undefined));
  }

  /**
   * It passes this function or tracepoint, with what is given of the event there. Where a tracepoint stands in for the
   * function, that is as good, unless something is asked of the event.
   */
  toPass(func: string, part: EventPart = {}): void {
    this.#checkFunction(func);
    const { note: _, ...fields } = part;
    checkEventPart(fields);
    const alike = (observed: Observation) => (Object.keys(part).length === 0 ? observed.standIns(func) : []);
    this.#some(
      `passes ${func}${partText(part)}`,
      (trace, observed) =>
        [func, ...alike(observed)].some((name) => trace.events.some((event) => isEvent(event, name, part))),
      (observed) => (alike(observed).length > 0 ? undefined : observed.invisible(func)),
    );
  }

  /** None of these packets passes it. */
  toNotPass(func: string): void {
    this.#checkFunction(func);
    this.#every(
      `does not pass ${func}`,
      (trace, observed) => {
        const names = [func, ...observed.standIns(func)];
        return trace.events.every((event) => !names.includes(event.func));
      },
      (observed) => (observed.standIns(func).length > 0 ? undefined : observed.invisible(func)),
    );
  }

  /** A note on one of its lines has this text in it. */
  toHaveNote(note: string | RegExp): void {
    this.#some(`has the note '${note}'`, (trace) => trace.events.some((event) => hasNote(event, note)));
  }

  /** What became of it, by its verdict. */
  toHaveOutcome(outcome: MaybeByKernel<Outcome>): void {
    checkWords(
      'outcome',
      outcome,
      PACKET_CAUSES.flatMap(({ outcomes }) => outcomes),
    );
    this.#some(
      (version) => `ends as ${resolveByKernel(outcome, version)}`,
      (trace, { version }) => trace.verdict.outcome === resolveByKernel(outcome, version),
    );
  }

  /** Why, by its verdict: the cause's stable word. */
  toHaveCause(cause: MaybeByKernel<string>): void {
    checkWords(
      'cause',
      cause,
      PACKET_CAUSES.map(({ id }) => id),
    );
    this.#some(
      (version) => `has the cause ${resolveByKernel(cause, version)}`,
      (trace, { version }) => trace.verdict.cause === resolveByKernel(cause, version),
      undefined,
      (trace) => `${traceText(trace)}, cause ${trace.verdict.cause}`,
    );
  }

  /** So many of them are seen; without a number at least one. */
  toBeSeen(times?: MaybeByKernel<number>): void {
    const query = this.#query;
    const wantedText = (version: KernelVersion) =>
      times === undefined ? '' : ` ${resolveByKernel(times, version)} times`;
    this.#check({
      text: (version) => `${queryText(query)} is seen${wantedText(version)}`,
      find: (observed) => {
        const about = observed.traces.filter((trace) => matchesQuery(trace, query));
        const count = about.length;
        const wanted = times === undefined ? undefined : resolveByKernel(times, observed.version);
        const seen = `${count} of ${listText(observed.traces.map(traceText), 'packets')}`;
        return { ok: wanted === undefined ? count > 0 : count === wanted, seen, about };
      },
    });
  }

  toNotBeSeen(): void {
    this.toBeSeen(0);
  }

  /** The host sends it again, with pauses as a timer of the kernel makes them. The times are shown. */
  toBeSentAgain(by: Host, again: MaybeByKernel<SendingAgain>): void {
    const query = this.#query;
    this.#check({
      text: (version) =>
        `${queryText(query)} is sent by ${by.name} ${sendingAgainText(resolveByKernel(again, version))}`,
      find({ traces, version }) {
        const times = sendingTimes(
          traces.filter((trace) => matchesQuery(trace, query)),
          by.inode,
        );
        return { ok: isSentAgain(times, resolveByKernel(again, version)), seen: sendingsText(times), measured: true };
      },
    });
  }

  /** Anything else: `text` completes "the packet ...". */
  toSatisfy(text: string, test: (trace: SkbTrace) => boolean): void {
    this.#some(text, (trace) => booleanOf(test(trace), text));
  }

  #checkFunction(name: string): void {
    if (this.#surroundings.isTraced(name)) return;
    throw new UsageError(`'${name}' is not among what is traced`, {
      advice: "nettrace probes lists what can be; what is not of the default set goes into the case's `trace`",
    });
  }

  #check(check: Check): void {
    const { needs } = this.#options;
    this.#add({
      ...check,
      find: (observed) =>
        needs === 'functions' && observed.noFunctions !== undefined
          ? { invisible: observed.noFunctions }
          : check.find(observed),
    });
  }

  #some(
    what: string | ((version: KernelVersion) => string),
    test: (trace: SkbTrace, observed: Observation) => boolean,
    invisible?: (observed: Observation) => string | undefined,
    show = traceText,
  ): void {
    this.#over(what, (traces, observed) => traces.some((trace) => test(trace, observed)), invisible, show);
  }

  #every(
    what: string,
    test: (trace: SkbTrace, observed: Observation) => boolean,
    invisible?: (observed: Observation) => string | undefined,
  ): void {
    this.#over(what, (traces, observed) => traces.every((trace) => test(trace, observed)), invisible, traceText);
  }

  #over(
    what: string | ((version: KernelVersion) => string),
    test: (traces: readonly SkbTrace[], observed: Observation) => boolean,
    invisible: ((observed: Observation) => string | undefined) | undefined,
    show: (trace: SkbTrace) => string,
  ): void {
    const query = this.#query;
    const subject = queryText(query);
    this.#check({
      text: (version) => `${subject} ${typeof what === 'string' ? what : what(version)}`,
      find(observed) {
        const why = invisible?.(observed);
        if (why !== undefined) return { invisible: why };
        const traces = observed.traces.filter((trace) => matchesQuery(trace, query));
        if (traces.length === 0)
          return {
            ok: false,
            seen: `no such packet; there are ${listText(observed.traces.map(traceText), 'packets')}`,
          };
        // those that are as expected tell most
        const telling = traces.filter((trace) => test([trace], observed));
        const about = telling.length > 0 ? telling : traces;
        return { ok: test(traces, observed), seen: listText(traces.map(show), 'packets'), about };
      },
    });
  }
}
