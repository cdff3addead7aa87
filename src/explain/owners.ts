import type { TraceEvent } from '../types.js';

/** On its way out a packet is its sender's; from these stages on it is looked for its receiver. */
const OUTGOING = new Set(['tcp-out', 'ip-out', 'ipv6-out', 'qdisc', 'device-out', 'neighbour']);

/** Neither: what happens there happens on both ways. */
const NEITHER = new Set(['life', 'netfilter', 'packet-socket', 'bridge', 'other']);

/**
 * Not every function has the packet's socket at hand. On the way out an event belongs to the owner that was seen last, on
 * the way in to the one that is seen next.
 */
export function fillOwners(events: TraceEvent[]): void {
  let sender: TraceEvent['owner'];
  for (const event of events) {
    if (event.owner) sender = event.owner;
    else if (!OUTGOING.has(event.stage) && !NEITHER.has(event.stage)) sender = undefined;
    else if (sender) event.owner = sender;
  }
  let receiver: TraceEvent['owner'];
  for (const event of events.toReversed()) {
    if (OUTGOING.has(event.stage)) receiver = undefined;
    else if (event.owner) receiver = event.owner;
    else if (receiver) event.owner = receiver;
  }
}
