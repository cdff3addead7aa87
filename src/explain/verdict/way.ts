import type { TraceEvent } from '../../types.js';
import { noLossCause } from '../no-loss.js';
import { type Finding, type Sight, seen } from './sight.js';

const SOCKET_STAGES = new Set(['tcp-in', 'udp', 'socket']);
const KERNEL_STAGES = new Set(['icmp', 'icmpv6', 'arp']);
const ECHO_REPLIES = new Set([0, 129]);
const TRANSMITS = new Set(['dev_hard_start_xmit', 'net_dev_start_xmit', 'net_dev_xmit', 'sch_direct_xmit']);
const FORWARDS = new Set([
  'ip_forward',
  'ip_forward_finish',
  'ip6_forward',
  'br_forward',
  '__br_forward',
  'br_flood',
  'br_dev_queue_push_xmit',
]);

/** Neither place nor end: what happens there happens on all ways. */
function isOnWay({ stage, parent }: TraceEvent): boolean {
  return stage !== 'life' && stage !== 'netfilter' && stage !== 'netfilter-hook' && parent === undefined;
}

/** A copy that a packet socket hands to its program: out of a clone that was made for it. */
function isTapsCopy({ func, skb }: TraceEvent, at: number, events: readonly TraceEvent[]): boolean {
  if (func !== 'skb_copy_datagram_iovec') return false;
  const before = events.slice(0, at);
  const made = before.findLastIndex((event) => event.skb === skb && event.parent !== undefined);
  if (made < 0) return false;
  const own = before.slice(made + 1).filter((event) => event.skb === skb && isOnWay(event));
  if (own.length > 0) return own.every(({ stage }) => stage === 'packet-socket');
  const parent = before[made]?.parent;
  return before.slice(0, made).findLast((event) => event.skb === parent && isOnWay(event))?.stage === 'packet-socket';
}

function isTaken(last: TraceEvent): string | undefined {
  if (SOCKET_STAGES.has(last.stage)) return 'taken-by-socket';
  if (!KERNEL_STAGES.has(last.stage)) return undefined;
  // a socket asked for it
  return ECHO_REPLIES.has(last.icmp?.type ?? -1) ? 'taken-by-socket' : 'taken-by-kernel';
}

function lastSeen(last: TraceEvent): string[] {
  return [seen(last, 'seen there last')];
}

/** Did it come in before it went out for the last time? */
function wasForwarded(way: readonly TraceEvent[]): boolean {
  const out = way.findLastIndex((event) => TRANSMITS.has(event.func));
  const before = way.slice(0, out);
  const cameIn = before.findLastIndex((event) => event.stage === 'device-in');
  if (cameIn < 0) return false;
  return before.slice(cameIn).some((event) => FORWARDS.has(event.func)) || !before.slice(cameIn).some(isEnd);
}

function isEnd(event: TraceEvent): boolean {
  return isTaken(event) !== undefined;
}

/** Where a way ends that nothing was lost on. */
function endOfWay(sight: Sight): Finding | undefined {
  const way = sight.events.filter((event, i, all) => isOnWay(event) && !isTapsCopy(event, i, all));
  const last = way.findLast((event) => event.stage !== 'packet-socket' && event.stage !== 'route');
  const tap = way.findLast((event) => event.stage === 'packet-socket');
  const { closed } = sight.trace;
  if (!last) return tap && { cause: 'taken-by-packet-socket', event: tap, evidence: lastSeen(tap) };
  const taken = isTaken(last);
  if (taken) return { cause: taken, event: last, evidence: lastSeen(last) };
  if (last.func === 'ip_defrag' && closed === 'freed')
    return { cause: 'fragments-reassembled', event: last, evidence: lastSeen(last) };
  if (TRANSMITS.has(last.func)) {
    return { cause: wasForwarded(way) ? 'routed-on' : 'handed-to-driver', event: last, evidence: lastSeen(last) };
  }
  // a frame that only a sniffer or a DHCP client wants: no protocol saw it
  if (tap && last.stage === 'device-in' && closed === 'freed' && sight.facts.sees('ip_rcv'))
    return { cause: 'taken-by-packet-socket', event: tap, evidence: lastSeen(tap) };
  return undefined;
}

/** A free through kfree_skb that is no loss: what that means. */
function harmlessFinding(sight: Sight): Finding | undefined {
  for (const event of sight.events.toReversed()) {
    if (event.drop?.noLoss === undefined) continue;
    const { trace } = sight;
    const cause = noLossCause(event, event.proto ?? trace.proto, event.tuple ?? trace.tuple) ?? 'did-its-work';
    const { location, noLoss } = event.drop;
    return { cause, event, detail: noLoss, evidence: [seen(event, `freed in ${location}, no loss: ${noLoss}`)] };
  }
  return undefined;
}

/** Causes that say less than the way does. */
const WEAK = new Set(['did-its-work', 'unread-at-close', 'freed-without-sign']);

/** Where its way ends for us, as something took it that does not tell. */
const TAKERS = new Set(['queued-to-user-space', 'xdp-took', 'tc-took']);
/** TC_ACT_STOLEN, TC_ACT_QUEUED, TC_ACT_TRAP: what an action says that it took (include/uapi/linux/pkt_cls.h). */
const TAKEN_BY_TC = new Set<TraceEvent['ret']>([4, 5, 8]);

/**
 * Did a tc action end its way? What one took is freed by its caller (sch_handle_ingress(), sch_handle_egress()); what it sent
 * elsewhere or keeps is a copy that it made. Whether a packet socket was a sniffer or whom the packet was for is not known.
 */
function isThrownAwayByTc(taken: TraceEvent, { events, trace }: Sight): boolean {
  if (!TAKEN_BY_TC.has(taken.ret) || trace.closed !== 'freed') return false;
  if (events.some(({ stage }) => stage === 'packet-socket')) return false;
  return events.slice(events.indexOf(taken) + 1).every(({ skb, stage, parent }) => {
    return skb === taken.skb && stage === 'life' && parent === undefined;
  });
}

function unknownEnd(sight: Sight): Finding {
  const { closed, complete } = sight.trace;
  const last = sight.events.findLast(isOnWay);
  const evidence = last ? lastSeen(last) : [];
  const event = last ? { event: last } : {};
  const detail = last ? { detail: `last seen in ${last.func}` } : {};
  if (!complete) return { cause: 'events-lost', evidence, ...event, ...detail };
  const taker = sight.telling.findLast(({ cause }) => TAKERS.has(cause));
  if (taker) {
    const finding: Finding = { cause: taker.cause, event: taker.event, evidence: [seen(taker.event, taker.note.text)] };
    if (!isThrownAwayByTc(taker.event, sight)) return { ...finding, outcome: 'unknown' };
    return { ...finding, outcome: 'dropped', text: 'a tc action took it and threw it away: no copy of it went on' };
  }
  if (closed === 'freed') return { cause: 'freed-without-sign', evidence, ...event, ...detail };
  if (closed === 'reused') return { cause: 'end-not-seen', evidence, ...event, ...detail };
  return { cause: 'still-on-its-way', evidence, ...event, ...detail };
}

/** A FIN without data has told all that it had to tell when it comes; nothing of it is read. */
function isBareFin(sight: Sight): boolean {
  const tcp = sight.events.findLast((event) => event.tcp)?.tcp;
  return tcp !== undefined && tcp.payload === 0 && tcp.flags.includes('F');
}

/** Where GRO frees a packet whose data it has put into another (napi_skb_finish, GRO_MERGED_FREE). */
function mergeOf(sight: Sight): TraceEvent | undefined {
  const stolen = sight.events.findLast(({ func }) => func === 'napi_skb_free_stolen_head');
  if (stolen) return stolen;
  // one that was cloned is freed as others are; nothing else frees without a reason before IP has it
  const last = sight.events.findLast(isOnWay);
  if (last?.func !== 'dev_gro_receive') return undefined;
  return sight.events.findLast(({ func, skb }) => func === '__kfree_skb' && skb === last.skb);
}

/** What became of a packet that nothing was lost of, as far as it was seen. */
export function wayFinding(sight: Sight): Finding {
  const merged = mergeOf(sight);
  const harmless = harmlessFinding(sight);
  const end = endOfWay(sight);
  if (harmless && !WEAK.has(harmless.cause)) return harmless;
  const isCut = !sight.trace.complete && sight.trace.closed !== 'freed';
  const isUnread = harmless?.cause === 'unread-at-close' && end?.cause === 'taken-by-socket' && !isBareFin(sight);
  if (end && !isCut) return isUnread ? harmless : end;
  if (merged) return { cause: 'gro-merged', event: merged, evidence: [seen(merged, 'freed, merged by GRO')] };
  if (harmless) return harmless.cause === 'unread-at-close' ? { ...harmless, outcome: 'unknown' } : harmless;
  return unknownEnd(sight);
}
