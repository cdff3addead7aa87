import { currentNetnsInode, netnsInode } from '../load/netns.js';
import { linkChanges } from './links.js';
import { counterDeltas } from './proc-files.js';
import { type CounterSnapshot, readCounters } from './snapshot.js';

/** Counters of a network namespace at one time, by their names: see bpf/counters.yaml. */
export type CounterReading = CounterSnapshot;

/**
 * Reads the counters of a network namespace: an inode, a path to one, or a name below /run/netns; without it that of this
 * process. Rejects with UsageError where there is none, and NettraceError where it cannot be entered.
 */
export async function counters(netns?: string): Promise<CounterReading> {
  return readCounters(netns === undefined ? currentNetnsInode() : netnsInode(netns));
}

/** What moved between two readings of a namespace; of interfaces as `eth0:rx_dropped`. */
export function countersMoved(before: CounterReading, after: CounterReading): Map<string, bigint> {
  const moved = counterDeltas(before.counters, after.counters);
  for (const { ifname, deltas } of linkChanges(before.links, after.links).moved)
    for (const [name, delta] of deltas) moved.set(name.replace('link', ifname), delta);
  return moved;
}
