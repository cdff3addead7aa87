import type { SkbTrace, TraceEvent } from '../types.js';

const GOING_OUT = new Set(['tcp-out', 'ip-out', 'ipv6-out', 'qdisc', 'device-out']);

/** On its way out of its host? */
export function goesOut({ stage }: TraceEvent): boolean {
  return GOING_OUT.has(stage);
}

/** From which endpoint to which, in the namespace where the packet was seen first: a key. */
export function wayOf({ events, tuple }: SkbTrace): string | undefined {
  const [first] = events;
  return first && tuple && `${first.netns} ${tuple.saddr} ${tuple.sport} ${tuple.daddr} ${tuple.dport}`;
}

/** The way that a packet answers which arrives there. */
export function wayBack({ tuple }: SkbTrace, arrival: TraceEvent): string | undefined {
  const at = arrival.tuple ?? tuple;
  return at && `${arrival.netns} ${at.daddr} ${at.dport} ${at.saddr} ${at.sport}`;
}

/** The oldest goes where there are `max` of them. */
export function remember<K, V>(map: Map<K, V>, key: K, value: V, max: number): void {
  map.delete(key);
  if (map.size >= max) {
    const [oldest] = map.keys();
    if (oldest !== undefined) map.delete(oldest);
  }
  map.set(key, value);
}
