import type { TraceEvent } from '../types.js';

type Place = Pick<TraceEvent, 'ifname' | 'ifindex' | 'netns'>;

/** On its way in a packet stays where it came in, and each of these sees it anew behind another interface. */
const INCOMING = new Set([
  'device-in',
  'arp',
  'ip-in',
  'ipv6-in',
  'route',
  'tcp-in',
  'udp',
  'icmp',
  'icmpv6',
  'socket',
]);
/** From here on it is no more sent on: where it is freed is where it is. */
const LOCAL = new Set(['arp', 'tcp-in', 'udp', 'icmp', 'icmpv6', 'socket']);
/** A driver is given the skb, and has taken it; what happens to the skb between them may be in another namespace. */
const DRIVER_BEGINS = new Set(['net_dev_start_xmit', 'dev_hard_start_xmit']);
const DRIVER_ENDS = 'net_dev_xmit';

/** An event has no field of these that says nothing. */
function fill(event: TraceEvent, { ifname, ifindex, netns }: Place): void {
  if (ifname !== undefined) event.ifname = ifname;
  if (ifindex !== undefined) event.ifindex = ifindex;
  if (netns !== undefined) event.netns = netns;
}

/**
 * Not every event has the skb's interface at hand: TCP takes it away, lookups of routes carry no skb, and a driver may have
 * freed what it took. Filled in where an event before says it, of the same skb and in the same namespace; else it stays open.
 */
export function fillPlaces(events: readonly TraceEvent[]): void {
  const cameBy: (Place | undefined)[] = [];
  const isLocal: boolean[] = [];
  const inDriver: Place[][] = [];
  for (const event of events) {
    const { skb, func, stage } = event;
    if (DRIVER_BEGINS.has(func)) {
      inDriver[skb] ??= [];
      inDriver[skb].push(event);
    } else if (func === DRIVER_ENDS) {
      const place = inDriver[skb]?.pop();
      if (place && event.netns === undefined) fill(event, place);
      continue;
    }
    const isIncoming = INCOMING.has(stage);
    const place = cameBy[skb];
    const fits = event.netns === undefined || event.netns === place?.netns;
    if (place && event.ifname === undefined && fits && (isIncoming || (stage === 'life' && isLocal[skb])))
      fill(event, place);
    if (stage === 'life') continue;
    isLocal[skb] = LOCAL.has(stage);
    if (!isIncoming) cameBy[skb] = undefined;
    else if (event.ifname !== undefined) cameBy[skb] = event;
    else if (!fits) cameBy[skb] = undefined;
  }
}
