import { difference, endOf, pawsRefuses } from '../explain/verdict/numbers.js';
import { functionOf, isSentAgain } from '../explain/verdict/sight.js';
import type { SkbTrace, TraceEvent } from '../types.js';
import type { CounterRule } from './counter-definition.js';
import type { Stage } from './given-up.js';
import type { SentBefore } from './sent-history.js';
import { goesOut } from './way.js';

const COMING_IN = new Set(['device-in', 'ip-in', 'ipv6-in']);
/** Conditions that look at what was sent before. */
const SENT_BEFORE = ['repeat', 'probe', 'abort', 'probed', 'recycles'] as const;

/** A trace as one network namespace, or one of its interfaces, or the whole machine saw it. */
export interface LocalView {
  trace: SkbTrace;
  events: readonly TraceEvent[];
  /** Its causes and facts. */
  causes: ReadonlySet<string>;
  begins: boolean;
  arrives: boolean;
  ends: boolean;
  before: SentBefore;
  /** The timer that would have sent it once more gave its connection up, which was that far. */
  givenUp: Stage | undefined;
}

export interface Bounds {
  /** Only events of this namespace (inode); any where it is not given. */
  netns?: number | undefined;
  ifname?: string | undefined;
  /** Seconds of the monotonic clock: only events from the one to the other. */
  since: number;
  until: number;
}

/** The namespace of each event: some have none of their own, and are where the packet was last. */
export function namespacesOf(trace: SkbTrace): (number | undefined)[] {
  let last: number | undefined;
  return trace.events.map(({ netns }) => {
    last = netns ?? last;
    return last;
  });
}

/** Undefined where nothing of the trace is there. */
export function localView(
  trace: SkbTrace,
  namespaces: readonly (number | undefined)[],
  { netns, ifname, since, until }: Bounds,
  before: SentBefore,
  givenUp?: Stage,
): LocalView | undefined {
  const isHere = (i: number) => netns === undefined || namespaces[i] === netns;
  const events = trace.events.filter(
    (event, i) =>
      isHere(i) && (ifname === undefined || event.ifname === ifname) && event.t >= since && event.t <= until,
  );
  if (events.length === 0) return undefined;
  const { verdict } = trace;
  const first = trace.events[0];
  const drop = trace.events.findLastIndex((event) => event.drop && event.drop.noLoss === undefined);
  const end = drop >= 0 ? drop : trace.events.length - 1;
  const endsAt = trace.events[end];
  return {
    trace,
    events,
    causes: new Set([verdict.cause, ...verdict.facts]),
    begins: first !== undefined && goesOut(first) && isHere(0) && events.includes(first),
    arrives: events.some((event) => COMING_IN.has(event.stage)),
    ends: endsAt !== undefined && events.includes(endsAt),
    before,
    givenUp,
  };
}

/** Does a segment that came find the receive buffer full? */
export function findsNoRoom({ func, notes, drop }: TraceEvent): boolean {
  const isRefused = notes.some(({ text }) => text.startsWith('there is no room in the receive buffer'));
  return (func === 'tcp_try_rmem_schedule' && isRefused) || drop?.reason === 'PROTO_MEM';
}

/** Conditions of a rule that point at an event. */
function pointsAtEvent(rule: CounterRule): boolean {
  const { at, dropAt, loss, reasons, resetReasons, note, ret, states, newStates, paws } = rule;
  return [at, dropAt, loss, reasons, resetReasons, note, ret, states, newStates, paws].some((c) => c !== undefined);
}

function isOneOf<T>(list: readonly T[] | undefined, value: T | undefined): boolean {
  return list === undefined || (value !== undefined && list.includes(value));
}

/** What the packet is: asked of an event, or of the trace where an event does not say. */
function fitsPacket(rule: CounterRule, trace: SkbTrace, event: TraceEvent): boolean {
  const { protos, family, types, flags, noFlags } = rule;
  if (!isOneOf(protos, event.proto ?? trace.proto)) return false;
  const address = (event.tuple ?? trace.tuple)?.saddr;
  if (family !== undefined && (address === undefined || address.includes(':') !== (family === 6))) return false;
  if (!isOneOf(types, event.icmp?.type)) return false;
  const have = event.tcp?.flags;
  if (flags !== undefined && !(have !== undefined && [...flags].every((f) => have.includes(f)))) return false;
  return noFlags === undefined || (have !== undefined && ![...noFlags].some((f) => have.includes(f)));
}

/** What became of a segment that is out of order, behind what is expected next; undefined of others. */
function aheadOf(event: TraceEvent, { events }: LocalView): CounterRule['ahead'] {
  const { tcp, socket } = event;
  if (!tcp || socket?.rcvNxt === undefined || endOf(tcp) === tcp.seq) return undefined;
  if (difference(tcp.seq, socket.rcvNxt) <= 0) return undefined;
  const next = events[events.indexOf(event) + 1];
  return next && findsNoRoom(next) ? 'refused' : 'queued';
}

function fitsEvent(rule: CounterRule, event: TraceEvent, view: LocalView): boolean {
  const { at, dropAt, loss, reasons, resetReasons, note, ret, states, newStates, paws } = rule;
  const { drop, socket, tcp } = event;
  if (!isOneOf(at, event.func)) return false;
  if (dropAt && !(drop && dropAt.includes(functionOf(drop.location)))) return false;
  if (loss && !(drop && drop.noLoss === undefined)) return false;
  if (reasons && !(drop && reasons.includes(drop.reason ?? 'none'))) return false;
  if (!isOneOf(resetReasons, socket?.resetReason)) return false;
  if (note && !event.notes.some(({ text }) => note.some((start) => text.startsWith(start)))) return false;
  if (ret !== undefined && event.ret !== ret) return false;
  if (!isOneOf(states, socket?.state) || !isOneOf(newStates, socket?.newState)) return false;
  if (rule.gone && socket?.requestLeft === true) return false;
  if (rule.ahead && aheadOf(event, view) !== rule.ahead) return false;
  if (rule.sent && !isSentAgain(view.events, view.events.indexOf(event))) return false;
  if (paws === undefined) return true;
  return tcp !== undefined && socket !== undefined && pawsRefuses(tcp, socket, 0, tcp.flags.includes('R')) === paws;
}

/** How often, by this rule, the trace moved the counter there; 0 where it does not fit. */
export function matchRule(rule: CounterRule, view: LocalView): number {
  if (rule.causes && !rule.causes.some((cause) => view.causes.has(cause))) return 0;
  if (rule.outcomes && !rule.outcomes.includes(view.trace.verdict.outcome)) return 0;
  if ((rule.begins && !view.begins) || (rule.arrives && !view.arrives) || (rule.ends && !view.ends)) return 0;
  if (SENT_BEFORE.some((what) => rule[what] && !view.before[what])) return 0;
  if (!isOneOf(rule.givenUp, view.givenUp)) return 0;
  if (rule.notAt && view.events.some(({ func }) => rule.notAt?.includes(func))) return 0;
  if (!pointsAtEvent(rule)) {
    // a verdict is about how the packet ended, and a packet that is sent again begins here
    if ((rule.causes || rule.outcomes) && !view.ends && !rule.begins) return 0;
    const telling = view.events.find((event) => event.tcp ?? event.icmp) ?? view.events[0];
    return telling && fitsPacket(rule, view.trace, telling) ? 1 : 0;
  }
  const events = view.events.filter((event) => fitsEvent(rule, event, view) && fitsPacket(rule, view.trace, event));
  if (rule.each === 'event') return events.length;
  if (rule.each === 'again') return Math.max(0, events.length - 1);
  return events.length > 0 ? 1 : 0;
}
