import { parseAddress } from '../decode/addresses.js';
import { NO_LOSS } from '../generated/drop-reasons.js';
import type { DropInfo, Proto, TraceEvent, Tuple } from '../types.js';
import { makeLookup, type NoLossRule } from './drop-reason-definition.js';
import { dropReason } from './drop-reasons.js';
import { functionOf } from './verdict/sight.js';

const rulesAt = NO_LOSS.flatMap((rule) => rule.at.map((pattern) => [pattern, rule] as const));
/** Rules that may fit a location, in the table's order. */
const lookup = makeLookup(
  [...new Set(NO_LOSS.flatMap((rule) => rule.at))].map(
    (pattern) => [pattern, rulesAt.filter(([at]) => at === pattern).map(([, rule]) => rule)] as const,
  ),
);

function isMulticast(bytes: Uint8Array): boolean {
  return bytes.length === 4 ? ((bytes[0] ?? 0) & 0xf0) === 0xe0 : bytes[0] === 0xff;
}

function fitsDestination(kinds: NonNullable<NoLossRule['daddr']>, tuple: Tuple | undefined): boolean {
  const bytes = tuple && parseAddress(tuple.daddr);
  if (!bytes) return false;
  if (kinds.includes('multicast') && isMulticast(bytes)) return true;
  return kinds.includes('broadcast') && bytes.length === 4 && bytes.every((byte) => byte === 255);
}

function fits(rule: NoLossRule, event: TraceEvent, proto: Proto, tuple: Tuple | undefined): boolean {
  if (!rule.reasons.includes(event.drop?.reason ?? 'none')) return false;
  if (rule.protos && !rule.protos.includes(proto)) return false;
  if (rule.flags && ![...rule.flags].some((flag) => event.tcp?.flags.includes(flag))) return false;
  if (rule.noPayload && event.tcp?.payload !== 0) return false;
  if (rule.types && !rule.types.includes(event.icmp?.type ?? -1)) return false;
  return !rule.daddr || fitsDestination(rule.daddr, tuple);
}

/**
 * Why the free through kfree_skb that `event` shows is no loss; undefined where it is one, or is no such free. By the
 * reason, the function that freed the packet, and the packet: many kernels free so what did its work, and say no reason.
 * `proto` and `tuple` are the packet's at this event.
 */
export function noLoss(event: TraceEvent, proto: Proto, tuple: Tuple | undefined): string | undefined {
  if (!event.drop) return undefined;
  const byReason = dropReason(event.drop.reason)?.noLoss;
  if (byReason !== undefined) return byReason;
  return ruleFor(event, event.drop, proto, tuple)?.why;
}

/** What a verdict says of such a free, as an id in src/explain/causes. */
export function noLossCause(event: TraceEvent, proto: Proto, tuple: Tuple | undefined): string | undefined {
  if (!event.drop) return undefined;
  const reason = dropReason(event.drop.reason);
  return reason?.noLoss === undefined ? ruleFor(event, event.drop, proto, tuple)?.cause : reason.cause;
}

function ruleFor(event: TraceEvent, drop: DropInfo, proto: Proto, tuple: Tuple | undefined): NoLossRule | undefined {
  return lookup(functionOf(drop.location))?.find((rule) => fits(rule, event, proto, tuple));
}
