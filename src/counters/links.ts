import { dump, type NetlinkChannel } from '../netlink/dump.js';
import type { NetlinkMessage } from '../netlink/messages.js';
import { needBytes, readAttributes } from '../netlink/messages.js';
import { type Counters, counterDeltas } from './proc-files.js';

/** include/uapi/linux/rtnetlink.h */
const RTM_NEWLINK = 16;
const RTM_GETLINK = 18;
const IFINFOMSG_BYTES = 16;
/** include/uapi/linux/if_link.h */
const IFLA_IFNAME = 3;
const IFLA_STATS64 = 23;
/** struct rtnl_link_stats64, which only ever grows at its end: names as in /sys/class/net/DEV/statistics. */
const FIELDS = [
  ...['rx_packets', 'tx_packets', 'rx_bytes', 'tx_bytes', 'rx_errors', 'tx_errors', 'rx_dropped', 'tx_dropped'],
  ...['multicast', 'collisions', 'rx_length_errors', 'rx_over_errors', 'rx_crc_errors', 'rx_frame_errors'],
  ...['rx_fifo_errors', 'rx_missed_errors', 'tx_aborted_errors', 'tx_carrier_errors', 'tx_fifo_errors'],
  ...['tx_heartbeat_errors', 'tx_window_errors', 'rx_compressed', 'tx_compressed', 'rx_nohandler'],
  'rx_otherhost_dropped',
] as const;

export const LINK_COUNTERS: readonly string[] = FIELDS.map((field) => `link:${field}`);

/** An interface and what `ip -s -s link` shows of it. */
export interface LinkCounters {
  ifindex: number;
  ifname: string;
  counters: Counters;
}

/** One message of the list; undefined for one of another kind. Throws NettraceError where it is not well-formed. */
export function parseLink({ type, payload }: NetlinkMessage): LinkCounters | undefined {
  if (type !== RTM_NEWLINK) return undefined;
  needBytes(payload, IFINFOMSG_BYTES, 'an interface');
  const attributes = readAttributes(payload.subarray(IFINFOMSG_BYTES));
  const name = attributes.get(IFLA_IFNAME) ?? Buffer.alloc(0);
  const end = name.indexOf(0);
  const statistics = attributes.get(IFLA_STATS64) ?? Buffer.alloc(0);
  const counters: Counters = new Map();
  for (const [i, field] of FIELDS.entries()) {
    if (8 * (i + 1) > statistics.length) break;
    counters.set(`link:${field}`, statistics.readBigUInt64LE(8 * i));
  }
  return {
    ifindex: payload.readInt32LE(4),
    ifname: name.subarray(0, end < 0 ? name.length : end).toString('utf8'),
    counters,
  };
}

/** All interfaces of the socket's namespace. */
export function readLinks(channel: NetlinkChannel): Promise<LinkCounters[]> {
  return dump(
    channel,
    { type: RTM_GETLINK, payload: Buffer.alloc(IFINFOMSG_BYTES), what: 'interfaces and their counters' },
    parseLink,
  );
}

export interface LinkChanges {
  moved: { ifname: string; deltas: Counters }[];
  came: string[];
  went: string[];
}

/**
 * Compares two lists by index: a name may belong to another interface by now. One that is new counts from zero, which is so
 * for one that was made; one that came from another namespace brings its counters along.
 */
export function linkChanges(before: readonly LinkCounters[], after: readonly LinkCounters[]): LinkChanges {
  const former = new Map(before.map((link) => [link.ifindex, link]));
  const changes: LinkChanges = { moved: [], came: [], went: [] };
  for (const { ifindex, ifname, counters } of after) {
    const known = former.get(ifindex);
    former.delete(ifindex);
    if (!known) changes.came.push(ifname);
    const deltas = counterDeltas(known?.counters ?? new Map(), counters);
    if (deltas.size > 0) changes.moved.push({ ifname, deltas });
  }
  changes.went = [...former.values()].map((link) => link.ifname);
  return changes;
}
