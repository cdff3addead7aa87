import { parseAddress } from './decode/addresses.js';
import { parseTcpFlags } from './decode/names.js';
import { UsageError } from './errors.js';
import { BACKENDS, type Backend } from './load/backend-names.js';
import { checkMode, type Mode } from './modes.js';
import {
  ETH_P_ARP,
  ETH_P_IPV6,
  type FilterProto,
  IPPROTO_TCP,
  IPPROTO_UDP,
  type ProtoTest,
  parseProto,
} from './protocols.js';
import { checkSample } from './sample.js';

/** An address with its prefix length in bits. */
export interface Net {
  address: string;
  prefix: number;
}

/** Ports from `low` to `high`, both included. */
export interface PortRange {
  low: number;
  high: number;
}

/** What to trace. All conditions that are given must hold; within a list one is enough. */
export interface TraceOptions {
  /** A filter expression of pcap-filter(7); for names of hosts libpcap may ask a resolver. */
  expression?: string;
  /** The same, on the packet inside of a VXLAN, Geneve, GRE, IPIP, SIT or IPv6-in-IPv6 tunnel's. */
  filterTunnel?: string;
  /** An expression on fields of the kernel's struct sk_buff, such as `mark == 0x10 && dev.name == "eth0"`. */
  filterMeta?: string;
  /** IPv4 or IPv6 addresses, or CIDR: of the source, of the destination, of either. */
  saddr?: readonly string[];
  daddr?: readonly string[];
  addr?: readonly string[];
  /** Ports or ranges such as `8000-8010`: of the source, of the destination, of either. */
  sport?: ReadonlyArray<string | number>;
  dport?: ReadonlyArray<string | number>;
  port?: ReadonlyArray<string | number>;
  /** By name, or the number of a protocol that IP carries. */
  proto?: FilterProto | number;
  /** Sets of TCP flags, letters of S A R P F U: a packet matches that has all flags of one set. */
  tcpFlags?: readonly string[];
  /** Length of the packet in bytes, from the IP or ARP header on, at every place: `1400` or `100-200`. */
  pktLen?: string;
  /**
   * Inode of a network namespace, a path to one, or a name below /run/netns. With a list one of them is enough, and the run
   * takes more while it is running (`TraceRun.addNamespace`): an empty list matches nothing until then.
   */
  netns?: string | readonly string[];
  /** The network namespace of this process. */
  netnsCurrent?: boolean;
  /** An interface that is there when the run begins, in `netns` or else in the network namespace of this process. */
  ifname?: string;
  /** Packets of sockets that this process owns: by its id, by its name (of the main thread, at most 15 bytes). */
  pid?: number;
  comm?: string;
  /** What is reported (default `life`: the whole way of each packet). */
  mode?: Mode;
  /** Groups, functions, globs, or `all`; without any the default set. */
  trace?: readonly string[];
  /** Functions and groups, as in `trace`: leave them out; print their call stacks; begin traces only there; end them there. */
  traceExclude?: readonly string[];
  traceStack?: readonly string[];
  traceMatcher?: readonly string[];
  traceFree?: readonly string[];
  /** Clones and copies do not join the trace of their parent. */
  traceNoclone?: boolean;
  /** Only packets that took so long, in microseconds. */
  minLatency?: number;
  /** Only packets with a warning or an error at one of their events (mode `life`). */
  abnormalOnly?: boolean;
  /** Take the time up to the free, not to the last function before it. */
  latencyFree?: boolean;
  /** Only sockets whose smoothed, or smallest, round-trip time is at least this, in milliseconds. */
  filterSrtt?: number;
  filterMinrtt?: number;
  /** The functions that are registered at each netfilter hook. */
  hooks?: boolean;
  /** Report at the end which counters moved, by which traces, and which sockets of traced connections are left. */
  counters?: boolean;
  /** Report frees through kfree_skb that are no loss too (mode `drop` and `monitor`). */
  dropAll?: boolean;
  /** At most so many events, or new traces, a second. */
  rateLimit?: number;
  /**
   * Which packets are followed, where they are followed at all: `1/N`, about one of N, and of these everything; `auto`
   * (default; with `counters` or `explain` `off`), fewer and fewer while the ring buffer fills faster than it is read, so that
   * what is followed is seen whole; `off`, all, whatever is lost. Statistics say how many were followed; with an `auto` that is
   * given, records too, once a second.
   */
  sample?: string;
  /** Try even where a check says that it cannot work. */
  force?: boolean;
  /** File with the BTF of the running kernel, where the kernel does not give it. */
  btfPath?: string;
  /** End after so many traces. */
  count?: number;
  /** Read interface, netns, process, mark and TCP options at every event (default true). */
  detail?: boolean;
  /**
   * Record the first bytes of packets too, with traces and drops: expressions on what was recorded can ask for them
   * (default false).
   */
  bytes?: boolean;
  /** Return values of all functions. */
  ret?: boolean;
  /** Report at the end what became of each TCP connection, as records of their own. */
  explain?: boolean;
  /** Use this backend only. */
  backend?: Backend;
  /** Size of the ring buffer in bytes, a power of two of at least one page (default 8 MiB). */
  bufferBytes?: number;
  /** Close a trace that has been silent for so long, in milliseconds (default 5300; 1300 with tracepoints alone). */
  ageMs?: number;
  /** Ends the run as `stop()` does; where it comes before `ready`, that rejects with the signal's reason. */
  signal?: AbortSignal;
  /** Called with what is limited and shows only while the run goes on, in words for users; each is told once. */
  onWarning?: (text: string) => void;
}

/** The options, checked and in numbers. */
export interface Filter {
  saddr: Net[];
  daddr: Net[];
  addr: Net[];
  sport: PortRange[];
  dport: PortRange[];
  port: PortRange[];
  proto: ProtoTest | undefined;
  tcpFlags: number[];
  pktLen: PortRange | undefined;
  ifname: string | undefined;
  pid: number | undefined;
  comm: string | undefined;
}

export const LIMITS = { nets: 8, portRanges: 16, flagSets: 8 } as const;

function wholeNumber(text: string, what: string, low: number, high: number): number {
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (!(value >= low && value <= high)) {
    throw new UsageError(`${what} must be a whole number from ${low} to ${high}, not '${text}'`);
  }
  return value;
}

function parseRange(text: string, what: string, high: number): PortRange {
  const [, low = text, upper = low] = /^(\d+)(?:-(\d+))?$/.exec(text) ?? [];
  const range = { low: wholeNumber(low, what, 0, high), high: wholeNumber(upper, what, 0, high) };
  if (range.low > range.high) throw new UsageError(`${what} range '${text}' ends before it starts`);
  return range;
}

function parseNet(text: string, what: string): Net {
  const [, address = text, prefixText] = /^([^/]*)\/([^/]*)$/.exec(text) ?? [];
  const bytes = parseAddress(address);
  if (!bytes) throw new UsageError(`${what} must be an IPv4 or IPv6 address or CIDR, not '${text}'`);
  const bits = bytes.length * 8;
  const prefix = prefixText === undefined ? bits : wholeNumber(prefixText, `${what} prefix of '${text}'`, 0, bits);
  return { address, prefix };
}

function listOf<T, I>(values: readonly I[] | undefined, what: string, limit: number, parse: (value: I) => T): T[] {
  const list = (values ?? []).map(parse);
  if (list.length > limit) throw new UsageError(`${what} takes at most ${limit} values, not ${list.length}`);
  return list;
}

function checkBuffer(bytes: number | undefined): void {
  if (bytes === undefined) return;
  if (!Number.isInteger(bytes) || bytes < 4096 || bytes > 2 ** 30 || (bytes & (bytes - 1)) !== 0) {
    throw new UsageError(`the buffer must be a power of two from 4096 to 1073741824 bytes, not ${bytes}`);
  }
}

/** Checks all options; throws UsageError with the option, the rule, and the value that came. */
export function parseFilter(options: TraceOptions): Filter {
  const nets = (values: readonly string[] | undefined, what: string) =>
    listOf(values, what, LIMITS.nets, (v) => parseNet(v, what));
  const ports = (values: ReadonlyArray<string | number> | undefined, what: string) =>
    listOf(values, what, LIMITS.portRanges, (v) => parseRange(String(v), what, 65535));
  if (options.backend !== undefined && !BACKENDS.includes(options.backend)) {
    throw new UsageError(`backend must be one of ${BACKENDS.join(', ')}, not '${options.backend}'`);
  }
  if (options.ifname !== undefined && (options.ifname.length === 0 || Buffer.byteLength(options.ifname) > 15)) {
    throw new UsageError(`interface names have 1 to 15 bytes, not '${options.ifname}'`);
  }
  for (const [what, value] of [
    ['pid', options.pid],
    ['count', options.count],
    ['age', options.ageMs],
    ['rate limit', options.rateLimit],
  ] as const) {
    if (value !== undefined && !(Number.isInteger(value) && value >= 1 && value <= 2 ** 31 - 1)) {
      throw new UsageError(`${what} must be a whole number from 1 to ${2 ** 31 - 1}, not '${value}'`);
    }
  }
  for (const [what, value] of [
    ['minimum latency', options.minLatency],
    ['minimum smoothed RTT', options.filterSrtt],
    ['minimum RTT', options.filterMinrtt],
  ] as const) {
    if (value !== undefined && !(value >= 0 && value <= 2 ** 31 / 1000))
      throw new UsageError(`${what} must be a number from 0 to ${Math.floor(2 ** 31 / 1000)}, not '${value}'`);
  }
  if (options.comm !== undefined && (options.comm.length === 0 || Buffer.byteLength(options.comm) > 15)) {
    throw new UsageError(`names of processes have 1 to 15 bytes, not '${options.comm}'`);
  }
  if (options.netns !== undefined && options.netnsCurrent)
    throw new UsageError('netns and netnsCurrent are both given', { advice: 'give one of them, or netns as a list' });
  checkMode(options.mode ?? 'life', options);
  checkBuffer(options.bufferBytes);
  if (options.sample !== undefined) checkSample(options.sample, options);
  const filter: Filter = {
    saddr: nets(options.saddr, 'source address'),
    daddr: nets(options.daddr, 'destination address'),
    addr: nets(options.addr, 'address'),
    sport: ports(options.sport, 'source port'),
    dport: ports(options.dport, 'destination port'),
    port: ports(options.port, 'port'),
    proto: options.proto === undefined ? undefined : parseProto(options.proto),
    tcpFlags: listOf(options.tcpFlags, 'TCP flags', LIMITS.flagSets, (v) => {
      const flags = v.length > 0 ? parseTcpFlags(v) : null;
      if (flags === null || /[EC]/i.test(v)) throw new UsageError(`TCP flags are letters of S A R P F U, not '${v}'`);
      return flags;
    }),
    pktLen: options.pktLen === undefined ? undefined : parseRange(options.pktLen, 'packet length', 2 ** 32 - 1),
    ifname: options.ifname,
    pid: options.pid,
    comm: options.comm,
  };
  if (filter.pktLen?.high === 0) throw new UsageError(`packet length must be at least 1, not '${options.pktLen}'`);
  checkContradictions(filter);
  return filter;
}

/** A filter that no packet can match is a mistake, not a wish. */
function checkContradictions(filter: Filter): void {
  const hasPorts = filter.port.length + filter.sport.length + filter.dport.length > 0;
  const { name = '', l3, l4 } = filter.proto ?? {};
  const isTransport = l4 === undefined ? l3 !== ETH_P_ARP : l4 === IPPROTO_TCP || l4 === IPPROTO_UDP;
  if (hasPorts && !isTransport) {
    throw new UsageError(`${name} has no ports: a port filter would match nothing`);
  }
  const families = [filter.addr, filter.saddr, filter.daddr].filter((nets) => nets.length > 0);
  const of = (nets: readonly Net[], v6: boolean) => nets.some((net) => net.address.includes(':') === v6);
  const v4 = families.every((nets) => of(nets, false)) && l3 !== ETH_P_IPV6;
  const v6 = families.every((nets) => of(nets, true)) && (l3 === undefined || l3 === ETH_P_IPV6);
  if (!v4 && !v6) {
    throw new UsageError('IPv4 and IPv6 are asked for at once: the filter would match nothing', {
      advice: 'addresses and protocol must be of one family',
    });
  }
  if (filter.tcpFlags.length > 0 && (!isTransport || l4 === IPPROTO_UDP)) {
    throw new UsageError(`${name} has no TCP flags: the filter would match nothing`);
  }
}
