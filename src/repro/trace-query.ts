import { formatEndpoint } from '../decode/addresses.js';
import { parseTcpFlags, tcpFlagsText } from '../decode/names.js';
import { UsageError } from '../errors.js';
import type { SkbTrace, TcpInfo } from '../types.js';
import { booleanOf } from './check.js';
import { checkAddress, checkFields, checkNumber, checkWords } from './check-words.js';

/** Which packets are meant: all that is given must hold, for the packet where it is seen first. */
export interface TraceQuery {
  proto?: SkbTrace['proto'];
  saddr?: string;
  daddr?: string;
  sport?: number;
  dport?: number;
  /** TCP flags, exactly these, in any order: `SA`. */
  flags?: string;
  seq?: number;
  ack?: number;
  /** The timestamp; null: the segment has none. */
  tsval?: number | null;
  /** Bytes behind the TCP header. */
  payload?: number;
  icmpType?: number;
  arpOp?: number;
  /** Anything else; `text` says it in words. */
  where?: { text: string; test: (trace: SkbTrace) => boolean };
}

function firstTcp(trace: SkbTrace): TcpInfo | undefined {
  return trace.events.find((event) => event.tcp)?.tcp;
}

const FIELDS: Readonly<Record<keyof TraceQuery, true>> = {
  proto: true,
  saddr: true,
  daddr: true,
  sport: true,
  dport: true,
  flags: true,
  seq: true,
  ack: true,
  tsval: true,
  payload: true,
  icmpType: true,
  arpOp: true,
  where: true,
};
const PROTOS: Readonly<Record<SkbTrace['proto'], true>> = {
  tcp: true,
  udp: true,
  icmp: true,
  icmpv6: true,
  arp: true,
  ip: true,
  ipv6: true,
  unknown: true,
};

/** Throws UsageError for a query that no packet could answer. */
export function checkQuery(query: TraceQuery): void {
  checkFields('query for packets', query, Object.keys(FIELDS));
  checkWords('protocol', query.proto, Object.keys(PROTOS));
  for (const name of ['saddr', 'daddr'] as const) checkAddress(name, query[name]);
  for (const name of ['sport', 'dport', 'seq', 'ack', 'tsval', 'payload', 'icmpType', 'arpOp'] as const)
    checkNumber(name, query[name]);
  if (query.flags !== undefined) normalFlags(query.flags);
}

function normalFlags(flags: string): string {
  const bits = parseTcpFlags(flags);
  if (bits === null) throw new UsageError(`TCP flags are letters of S A R P F U, not '${flags}'`);
  return tcpFlagsText(bits);
}

export function matchesQuery(trace: SkbTrace, query: TraceQuery): boolean {
  const { flags, tsval, where, ...plain } = query;
  const tcp = firstTcp(trace);
  const has: Readonly<Record<keyof typeof plain, unknown>> = {
    proto: trace.proto,
    saddr: trace.tuple?.saddr,
    daddr: trace.tuple?.daddr,
    sport: trace.tuple?.sport,
    dport: trace.tuple?.dport,
    seq: tcp?.seq,
    ack: tcp?.ack,
    payload: tcp?.payload,
    icmpType: trace.events.find((event) => event.icmp)?.icmp?.type,
    arpOp: trace.events.find((event) => event.arpOp !== undefined)?.arpOp,
  };
  for (const [key, value] of Object.entries(plain)) {
    if (value !== undefined && has[key as keyof typeof has] !== value) return false;
  }
  if (flags !== undefined && tcp?.flags !== normalFlags(flags)) return false;
  if (tsval !== undefined && (tcp === undefined || (tcp.tsval ?? null) !== tsval)) return false;
  return where === undefined || booleanOf(where.test(trace), where.text);
}

/** The query in words: `tcp R 10.0.0.1:41000 -> 10.0.0.2:8000`. */
export function queryText(query: TraceQuery): string {
  const { proto, saddr, daddr, sport, dport, flags, where, tsval, ...rest } = query;
  const words: string[] = [proto ?? (flags === undefined ? 'packet' : 'tcp')];
  if (flags !== undefined) words.push(normalFlags(flags));
  if (saddr !== undefined || sport !== undefined) words.push(`from ${formatEndpoint(saddr ?? '*', sport)}`);
  if (daddr !== undefined || dport !== undefined) words.push(`to ${formatEndpoint(daddr ?? '*', dport)}`);
  if (tsval !== undefined) words.push(tsval === null ? 'without timestamp' : `with timestamp ${tsval}`);
  for (const [key, value] of Object.entries(rest)) if (value !== undefined) words.push(`${key} ${value}`);
  if (where) words.push(where.text);
  return words.join(' ');
}

/** A trace in one line, for what was seen in place of what was expected. */
export function traceText(trace: SkbTrace): string {
  const { tuple } = trace;
  const flags = firstTcp(trace)?.flags;
  const ends = tuple
    ? ` ${formatEndpoint(tuple.saddr, tuple.sport)} -> ${formatEndpoint(tuple.daddr, tuple.dport)}`
    : '';
  const drop = trace.events.find((event) => event.drop)?.drop;
  const end = drop ? `freed in ${drop.location}${drop.reason ? ` (${drop.reason})` : ''}` : trace.verdict.outcome;
  return `${trace.proto}${flags ? ` ${flags}` : ''}${ends}: ${end}`;
}
