import type { DateText, Seconds } from '../types.js';

/** Traces that moved a counter. */
export interface CounterTraces {
  count: number;
  /** Of the first of them. */
  ids: string[];
  /** What the verdicts of all say: how often each. */
  verdicts: { outcome: string; cause: string; count: number }[];
}

/** A counter that is another one than at the start. */
export interface MovedCounter {
  /**
   * As nstat(8) has it (TcpExtListenDrops); softnet:dropped and the like for columns of /proc/net/softnet_stat, conntrack:drop
   * for those of /proc/net/stat/nf_conntrack, and of an interface a name of its statistics such as rx_dropped.
   */
  name: string;
  /** Of this interface. */
  ifname?: string;
  /** A string where a double cannot hold it. */
  delta: number | string;
  /** What it counts; absent where nettrace does not know the counter. */
  meaning?: string;
  /** How much of `delta` the traces account for, and how much none does. */
  explained: number;
  unexplained: number | string;
  /**
   * How much the traces could have moved it. More than `delta`: each of them may have, and not all did, or it moved before the
   * first reading.
   */
  evidence: number;
  traces: CounterTraces;
}

/** What counters of a network namespace, or of the machine, moved while packets were traced: with --counters. */
export interface CountersRecord {
  v: 1;
  type: 'counters';
  /** Seconds of the monotonic clock: of the second reading. */
  t: Seconds;
  date: DateText;
  /** Inode of the namespace; absent for counters that are the whole machine's. */
  netns?: number;
  /** As ip netns lists it. */
  name?: string;
  /** When the first reading was: before the first packet, or when the first packet of the namespace had been seen. */
  from: 'begin' | 'first-seen';
  /** Seconds of the monotonic clock: of the first reading. */
  since: number;
  /** Why there is no second reading, or no first; then `counters` and `traffic` are empty. */
  unread?: string;
  /** False where events were lost: what moved counters may not have been seen. */
  complete: boolean;
  counters: MovedCounter[];
  /** Counters that any traffic moves. */
  traffic: { name: string; ifname?: string; delta: number | string }[];
  /** Interfaces that came or went between the readings. */
  interfaces: { ifname: string; what: 'appeared' | 'vanished' }[];
}
