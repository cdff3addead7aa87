import { BpfError } from '#bpf-loader';
import { NettraceError } from '../errors.js';
import { NetnsFiles, readOwn } from '../explain/netns-files.js';
import { NetlinkFamily, withNetlink } from '../netlink/socket.js';
import { counterKind } from './counter-table.js';
import { type LinkCounters, readLinks } from './links.js';
import {
  CONNTRACK_FILE,
  COUNTER_FILES,
  type Counters,
  conntrackCounters,
  netCounters,
  SOFTNET_FILE,
  softnetCounters,
} from './proc-files.js';

/** Counters of a network namespace at one time. */
export interface CounterSnapshot {
  /** Inode. */
  netns: number;
  /** Of the namespace: an inode may come again when another has gone. Undefined before 5.14. */
  cookie: bigint | undefined;
  /** Nanoseconds of the monotonic clock. */
  time: number;
  counters: Counters;
  links: LinkCounters[];
}

export function monotonicTime(): number {
  return Number(process.hrtime.bigint());
}

/** What goes up and down: connections that stand, and settings. */
function isGauge(name: string): boolean {
  return name.endsWith('CurrEstab') || counterKind(name) === 'setting';
}

/**
 * Reads the counters of a namespace: /proc/net/netstat, snmp, snmp6, stat/nf_conntrack, and the statistics of its interfaces.
 * Rejects with NettraceError where it cannot be entered.
 */
export async function readCounters(netns: number, files: NetnsFiles = new NetnsFiles()): Promise<CounterSnapshot> {
  const place = files.placeOf(netns);
  if (!place) throw new NettraceError(`there is no process in network namespace ${netns}, and no name for it`);
  const texts = COUNTER_FILES.map((file) => files.read(netns, file));
  if (texts.every((text) => text === undefined))
    throw new NettraceError(
      `the counters of network namespace ${netns} cannot be read: entering it takes CAP_SYS_ADMIN`,
    );
  const counters = netCounters(texts.map((text) => text ?? ''));
  for (const [name, value] of conntrackCounters(files.read(netns, CONNTRACK_FILE) ?? '')) counters.set(name, value);
  const time = monotonicTime();
  try {
    return await withNetlink(NetlinkFamily.route, place, async (socket) => ({
      netns,
      cookie: socket.netnsCookie,
      time,
      counters,
      links: await readLinks(socket),
    }));
  } catch (cause) {
    if (!(cause instanceof BpfError)) throw cause;
    throw new NettraceError(`the interfaces of network namespace ${netns} cannot be listed: ${cause.message}`, {
      cause,
    });
  }
}

/**
 * Are both readings of one namespace? Inodes come again when a namespace has gone. Where the kernel has no cookies: a counter
 * that went down was another's.
 */
export function isSameNetns(before: CounterSnapshot, after: CounterSnapshot): boolean {
  if (before.cookie !== undefined && after.cookie !== undefined) return before.cookie === after.cookie;
  return [...before.counters].every(
    ([name, value]) => isGauge(name) || (after.counters.get(name) ?? 0n) >= value || name.startsWith('conntrack:'),
  );
}

/** Counters of the whole machine: /proc/net/softnet_stat. */
export function readMachineCounters(): Counters {
  return softnetCounters(readOwn(SOFTNET_FILE) ?? '');
}
