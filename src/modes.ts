import { UsageError } from './errors.js';
import type { TraceOptions } from './options.js';
import { parseProto } from './protocols.js';

/** What a run reports. */
export const MODES = [
  'life',
  'basic',
  'drop',
  'monitor',
  'sock',
  'rtt',
  'rtt-detail',
  'latency',
  'latency-summary',
  'func-stats',
] as const;
export type Mode = (typeof MODES)[number];

/** Modes whose probes see sockets, not packets. */
export function watchesSockets(mode: Mode): boolean {
  return mode === 'sock' || mode === 'rtt' || mode === 'rtt-detail';
}

/** Modes in which packets are followed from their first sight on. */
export function followsPackets(mode: Mode): boolean {
  return mode === 'life' || mode === 'latency' || mode === 'latency-summary';
}

/** Modes whose records hold the first bytes of packets, where these are asked for. */
export function recordsBytes(mode: Mode): boolean {
  return mode === 'life' || mode === 'drop';
}

const PACKETS: readonly Mode[] = ['life', 'basic', 'drop', 'monitor', 'latency', 'latency-summary', 'func-stats'];
export const EACH_EVENT: readonly Mode[] = ['life', 'basic', 'drop', 'monitor', 'sock', 'rtt-detail', 'latency'];

/** Where an option means something; those that are in no list do everywhere. */
export interface Meaning<Options> {
  option: keyof Options;
  name: string;
  modes: readonly Mode[];
  /** Completes "it does nothing with --MODE: ". */
  why: string;
}

const ONLY_WITH: readonly Meaning<TraceOptions>[] = [
  { option: 'trace', name: '--trace', modes: without('drop', 'rtt', 'rtt-detail'), why: 'its functions are fixed' },
  {
    option: 'traceExclude',
    name: '--trace-exclude',
    modes: without('drop', 'rtt', 'rtt-detail'),
    why: 'its functions are fixed',
  },
  {
    option: 'traceMatcher',
    name: '--trace-matcher',
    modes: ['life', 'latency', 'latency-summary'],
    why: 'it does not follow packets',
  },
  {
    option: 'traceFree',
    name: '--trace-free',
    modes: ['life', 'latency', 'latency-summary'],
    why: 'it does not follow packets',
  },
  {
    option: 'traceNoclone',
    name: '--trace-noclone',
    modes: ['life', 'latency', 'latency-summary'],
    why: 'it does not follow packets',
  },
  {
    option: 'minLatency',
    name: '--min-latency',
    modes: ['life', 'latency', 'latency-summary'],
    why: 'it takes no times between functions',
  },
  {
    option: 'latencyFree',
    name: '--latency-free',
    modes: ['latency', 'latency-summary'],
    why: 'it takes no times between functions',
  },
  {
    option: 'traceStack',
    name: '--trace-stack',
    modes: without('rtt', 'latency', 'latency-summary', 'func-stats'),
    why: 'it shows no single events',
  },
  {
    option: 'sample',
    name: '--sample',
    modes: ['life', 'latency', 'latency-summary'],
    why: 'it does not follow packets',
  },
  { option: 'rateLimit', name: '--rate-limit', modes: EACH_EVENT, why: 'it shows no single events' },
  { option: 'bufferBytes', name: '--buffer', modes: EACH_EVENT, why: 'it counts in the kernel' },
  { option: 'ret', name: '--ret', modes: ['life'], why: 'only packets that are followed have return values' },
  {
    option: 'counters',
    name: '--counters',
    modes: ['life'],
    why: 'only whole ways of packets tell what moved a counter',
  },
  { option: 'abnormalOnly', name: '--diag-quiet', modes: ['life'], why: 'it shows no whole ways' },
  { option: 'explain', name: '--explain', modes: ['life'], why: 'it shows no whole ways' },
  { option: 'hooks', name: '--hooks', modes: ['life'], why: 'it shows no netfilter hooks' },
  {
    option: 'filterSrtt',
    name: '--filter-srtt',
    modes: ['rtt', 'rtt-detail', 'sock', 'monitor'],
    why: 'it sees no round-trip times',
  },
  {
    option: 'filterMinrtt',
    name: '--filter-minrtt',
    modes: ['rtt', 'rtt-detail', 'sock', 'monitor'],
    why: 'it sees no round-trip times',
  },
  { option: 'tcpFlags', name: '--tcp-flags', modes: PACKETS, why: 'it sees sockets, not packets' },
  { option: 'pktLen', name: '--pkt-len', modes: PACKETS, why: 'it sees sockets, not packets' },
  { option: 'filterTunnel', name: '--filter-tunnel', modes: PACKETS, why: 'it sees sockets, not packets' },
  { option: 'filterMeta', name: '--filter-meta', modes: PACKETS, why: 'it sees sockets, not packets' },
];

function without(...modes: Mode[]): Mode[] {
  return MODES.filter((mode) => !modes.includes(mode));
}

/** Throws UsageError for the first option that was given where it means nothing. */
export function checkMeanings<Options>(
  meanings: readonly Meaning<Options>[],
  mode: Mode,
  options: Partial<Options>,
): void {
  for (const { option, name, modes, why } of meanings) {
    const value = options[option];
    const given = value !== undefined && value !== false && !(Array.isArray(value) && value.length === 0);
    if (given && !modes.includes(mode)) throw new UsageError(`${name} makes no sense ${inMode(mode)}: ${why}`);
  }
}

/** Throws UsageError for an option that would do nothing in its mode. */
export function checkMode(mode: Mode, options: TraceOptions): void {
  if (!MODES.includes(mode)) throw new UsageError(`the mode must be one of ${MODES.join(', ')}, not '${mode}'`);
  checkMeanings(ONLY_WITH, mode, options);
  const proto = options.proto === undefined ? undefined : parseProto(options.proto).name;
  if (watchesSockets(mode) && proto && !['tcp', 'udp', 'ip', 'ipv6'].includes(proto))
    throw new UsageError(`--proto ${proto} makes no sense ${inMode(mode)}: it sees TCP and UDP sockets`);
  if ((mode === 'rtt' || mode === 'rtt-detail') && proto === 'udp')
    throw new UsageError(`--proto udp makes no sense ${inMode(mode)}: UDP measures no round-trip times`);
}

/** Throws UsageError where no function that is traced sees a socket of the protocol. */
export function checkSocketProto(mode: Mode, { proto, trace = [] }: TraceOptions): void {
  if (mode !== 'sock' || !proto || parseProto(proto).name !== 'udp' || trace.some((word) => word !== 'default')) return;
  throw new UsageError("--proto udp makes no sense with --sock alone: its default functions are TCP's", {
    advice: 'name some with -t, such as -t udp',
  });
}

function inMode(mode: Mode): string {
  return mode === 'life' ? 'without another mode' : `with --${mode}`;
}
