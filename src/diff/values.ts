import type { SkbTrace, TraceEvent, Tuple } from '../types.js';
import type { Step } from './path.js';

type Value = string | number | undefined;

const TUPLE_FIELDS = ['saddr', 'sport', 'daddr', 'dport'] as const;

/** Which fields of the addresses are no longer as at the first sight. The addresses themselves differ in any two runs. */
function rewritten(event: TraceEvent, first: Tuple | undefined): Value {
  const { tuple } = event;
  if (!tuple || !first) return undefined;
  return TUPLE_FIELDS.filter((field) => tuple[field] !== first[field]).join(' ') || undefined;
}

/** What the kernel complained of; a drop has values of its own, and what names addresses differs in any two runs. */
function complaints(event: TraceEvent, first: Tuple | undefined): Value {
  if (event.drop) return undefined;
  const addresses = [event.tuple, first].flatMap((tuple) => (tuple ? [tuple.saddr, tuple.daddr] : []));
  return (
    event.notes
      .filter(({ level, text }) => level !== 'info' && !addresses.some((address) => text.includes(address)))
      .map(({ text }) => text)
      .join('; ') || undefined
  );
}

/** What is compared of an event: not times, addresses, sequence numbers, processes, and numbers of namespaces. */
const EVENT_VALUES: Readonly<Record<string, (event: TraceEvent, first: Tuple | undefined) => Value>> = {
  'drop reason': ({ drop }) => drop && (drop.reason ?? 'none given'),
  'drop location': ({ drop }) => drop?.location,
  'return value': ({ ret }) => ret,
  'netfilter family': ({ netfilter }) => netfilter?.family,
  'netfilter hook': ({ netfilter }) => netfilter?.hook,
  'netfilter table': ({ netfilter }) => netfilter?.table,
  'netfilter chain': ({ netfilter }) => netfilter?.chain,
  'hook function': ({ netfilter }) => netfilter?.hooks?.find(({ blamed }) => blamed)?.name,
  state: ({ socket }) => socket?.state,
  'new state': ({ socket }) => socket?.newState,
  'reset reason': ({ socket }) => socket?.resetReason,
  interface: ({ ifname }) => ifname,
  protocol: ({ proto }) => proto,
  rewritten,
  'TCP flags': ({ tcp }) => tcp?.flags,
  'ICMP type': ({ icmp }) => icmp && `${icmp.type} code ${icmp.code}`,
  'ARP operation': ({ arpOp }) => arpOp,
  mark: ({ mark }) => mark && `0x${mark.toString(16)}`,
  length: ({ len }) => len,
  note: complaints,
};

/** The differing values of two steps of the same function: each with the distinct ones of its events, in order. */
export interface Difference {
  what: string;
  good?: string;
  bad?: string;
}

function difference(what: string, good: Value, bad: Value): Difference[] {
  if (good === bad) return [];
  return [
    { what, ...(good === undefined ? {} : { good: String(good) }), ...(bad === undefined ? {} : { bad: String(bad) }) },
  ];
}

function distinct(step: Step, of: (event: TraceEvent) => Value): Value {
  const values = step.events.map(of).filter((value) => value !== undefined);
  return values.length === 0 ? undefined : [...new Set(values)].join(', ');
}

export function stepDifferences(good: Step, goodTrace: SkbTrace, bad: Step, badTrace: SkbTrace): Difference[] {
  return Object.entries(EVENT_VALUES).flatMap(([what, of]) =>
    difference(
      what,
      distinct(good, (event) => of(event, goodTrace.tuple)),
      distinct(bad, (event) => of(event, badTrace.tuple)),
    ),
  );
}

/** What differs in the traces as a whole. */
export function traceDifferences(good: SkbTrace, bad: SkbTrace): Difference[] {
  return [
    ...difference('protocol', good.proto, bad.proto),
    ...difference('outcome', good.verdict.outcome, bad.verdict.outcome),
    ...difference('cause', good.verdict.cause, bad.verdict.cause),
    ...difference('closed', good.closed, bad.closed),
  ];
}
