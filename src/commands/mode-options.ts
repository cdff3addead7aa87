import { type Command, Option } from 'commander';
import { UsageError } from '../errors.js';
import { checkMeanings, EACH_EVENT, type Meaning, type Mode } from '../modes.js';
import { collect, type OutputOptions, positiveNumber } from './common-options.js';

/** What is reported, live or from files: as commander gives it. */
export interface ModeOptions extends OutputOptions {
  basic?: boolean;
  drop?: boolean;
  dropStack?: boolean;
  dropAll?: boolean;
  monitor?: boolean;
  sock?: boolean;
  rtt?: boolean;
  rttDetail?: boolean;
  filterSrtt?: number;
  filterMinrtt?: number;
  latency?: boolean;
  latencySummary?: boolean;
  latencyFree?: boolean;
  funcStats?: boolean;
}

/** Which functions. */
export interface PlaceOptions {
  trace?: string[];
  traceExclude?: string[];
  traceStack?: string[];
  traceMatcher?: string[];
  traceFree?: string[];
  traceNoclone?: boolean;
}

/** Filters that are expressions. */
export interface ExpressionOptions {
  filter?: string;
  filterTunnel?: string;
  filterMeta?: string;
}

/** Beyond those that the library has. */
const ONLY_WITH: readonly Meaning<ModeOptions>[] = [
  { option: 'diag', name: '--diag', modes: ['life'], why: 'it shows no whole ways' },
  { option: 'tinyShow', name: '--tiny-show', modes: ['life'], why: 'it shows no whole ways' },
  { option: 'latencyShow', name: '--latency-show', modes: ['life'], why: 'it shows no whole ways' },
  { option: 'detail', name: '--detail', modes: EACH_EVENT, why: 'it shows no single events' },
  { option: 'date', name: '--date', modes: EACH_EVENT, why: 'it shows no single events' },
];

/** The mode that the options name; throws UsageError for more than one, and for options of a mode that is not there. */
export function modeOf(options: ModeOptions): Mode {
  const { latency, latencySummary, basic, drop, monitor, sock, rtt, rttDetail, funcStats } = options;
  const named: [boolean | undefined, Mode][] = [
    [basic, 'basic'],
    [drop, 'drop'],
    [monitor, 'monitor'],
    [sock, 'sock'],
    [rtt, 'rtt'],
    [rttDetail, 'rtt-detail'],
    [latency && !latencySummary, 'latency'],
    [latencySummary, 'latency-summary'],
    [funcStats, 'func-stats'],
  ];
  const modes = named.filter(([given]) => given).map(([, mode]) => mode);
  if (modes.length > 1) throw new UsageError(`${modes.map((m) => `--${m}`).join(' and ')}: choose one mode`);
  const mode = modes[0] ?? 'life';
  checkMeanings(ONLY_WITH, mode, options);
  if (options.dropStack && mode !== 'drop') throw new UsageError('--drop-stack makes no sense without --drop');
  if (options.dropAll && mode !== 'drop' && mode !== 'monitor')
    throw new UsageError('--drop-all makes no sense without --drop or --monitor');
  return mode;
}

/** Expressions as filters, of live traces and of files. */
export function addExpressionOptions(command: Command): Command {
  return command
    .addOption(new Option('--netns-current', 'the network namespace of this shell').conflicts('netns'))
    .option('--filter <expr>', "expression as for tcpdump: 'tcp port 8000' (see pcap-filter(7))")
    .option('--filter-tunnel <expr>', 'expression on the inner packet of VXLAN, Geneve, GRE, IP tunnels')
    .option('--filter-meta <expr>', `on struct sk_buff's fields: 'mark == 0x10 && dev.name == "eth0"'`);
}

/** What is reported in place of packets' whole ways. */
export function addModeOptions(command: Command): Command {
  return command
    .optionsGroup('What is reported (default: the whole way of each packet; choose one):')
    .option('--basic', 'each function by itself, at once')
    .option('--drop', 'dropped packets, with reason and place')
    .option('--monitor', 'abnormal events: drops, resets, retransmissions, full queues ...')
    .option('--sock', 'what happens to TCP and UDP sockets, in place of packets')
    .option('--rtt', 'distribution of round-trip times of TCP, each second')
    .option('--rtt-detail', 'round-trip times of a connection at each acknowledgement')
    .option('--latency', 'time from the first function to the last one before the free')
    .option('--latency-summary', 'distribution of these times, each second')
    .option('--func-stats', 'how often each function was called, at the end')
    .optionsGroup('With some of them:')
    .option('--drop-stack', 'with --drop: call stacks')
    .option('--drop-all', 'with --drop or --monitor: also frees that are no loss')
    .option('--latency-free', 'with --latency or --latency-summary: time up to the free')
    .option(
      '--filter-srtt <ms>',
      'with --rtt, --rtt-detail, --sock, --monitor: smoothed RTT at least',
      positiveNumber('--filter-srtt'),
    )
    .option('--filter-minrtt <ms>', 'with the same: smallest RTT at least', positiveNumber('--filter-minrtt'));
}

/** Where in the kernel, as far as files hold it. */
export function addPlaceOptions(command: Command): Command {
  return command
    .optionsGroup('Where (groups, functions, globs, all; nettrace probes lists them):')
    .option('-t, --trace <what,...>', 'trace these, and where packets are followed, clones and frees', collect)
    .option('--trace-exclude <what,...>', 'leave these out', collect)
    .option('--trace-matcher <what,...>', 'packets may be seen for the first time only here', collect)
    .option('--trace-free <what,...>', 'a packet ends here', collect)
    .option('--trace-stack <what,...>', 'trace these too, and show their call stacks', collect)
    .option('--trace-noclone', 'clones do not join the packet that they were made from');
}
