import { type Command, Option } from 'commander';
import { UsageError } from '../errors.js';
import { FILTER_PROTOS, type FilterProto } from '../protocols.js';
import type { TextOptions } from '../sinks/text.js';

/** Which addresses and ports: as commander gives it. */
export interface AddressOptions {
  saddr?: string[];
  daddr?: string[];
  addr?: string[];
  sport?: string[];
  dport?: string[];
  port?: string[];
}

/** Which packets. */
export interface FilterOptions extends AddressOptions {
  proto?: FilterProto | number;
  tcpFlags?: string[];
  pktLen?: string;
  netns?: string[];
  ifname?: string;
  pid?: number;
  comm?: string;
}

/** What is written, and where to. */
export interface OutputOptions {
  count?: number;
  json?: boolean;
  output?: string;
  rotate?: string;
  date?: boolean;
  detail?: boolean;
  ret?: boolean;
  hooks?: boolean;
  tinyShow?: boolean;
  latencyShow?: boolean;
  minLatency?: number;
  diag?: boolean;
  diagQuiet?: boolean;
  diagKeep?: boolean;
  explain?: boolean;
}

/** Values of an option that is given several times, or with commas. */
export function collect(value: string, former: string[] | undefined): string[] {
  return [...(former ?? []), ...value.split(',')];
}

export function wholeNumber(name: string): (text: string) => number {
  return (text) => {
    if (!/^\d+$/.test(text)) throw new UsageError(`${name} must be a whole number, not '${text}'`);
    const number = Number(text);
    // a larger one would be told as another than came
    if (!Number.isSafeInteger(number)) throw new UsageError(`${name} is too large: '${text}'`);
    return number;
  };
}

/** A number that need not be whole. */
export function positiveNumber(name: string): (text: string) => number {
  return (text) => {
    if (!/^\d+(\.\d+)?$/.test(text)) throw new UsageError(`${name} must be a number, not '${text}'`);
    return Number(text);
  };
}

/** What JSON has in any case, or does without; of files also what only a live trace has to be asked for. */
const NOT_WITH_JSON = { tinyShow: '--tiny-show', latencyShow: '--latency-show', date: '--date', detail: '--detail' };
const NOT_WITH_RECORDED_JSON = { ...NOT_WITH_JSON, ret: '--ret', hooks: '--hooks' };

/** Throws UsageError for outputs that do not go together. `recorded`: what is written was read from files. */
export function checkOutput(options: OutputOptions, recorded = false): void {
  const { json, diag, diagQuiet, diagKeep } = options;
  if ((diagQuiet || diagKeep) && !diag)
    throw new UsageError(`${diagQuiet ? '--diag-quiet' : '--diag-keep'} makes no sense without --diag`);
  const useless: Record<string, string> = recorded ? NOT_WITH_RECORDED_JSON : NOT_WITH_JSON;
  for (const [option, name] of json ? Object.entries(useless) : []) {
    if (options[option as keyof OutputOptions]) throw new UsageError(`${name} makes no sense with --json: it has all`);
  }
}

/** Filters of packets and of sockets. */
export function addAddressOptions(command: Command): Command {
  return command
    .option('-s, --saddr <addr,...>', 'source address, IPv4 or IPv6, or CIDR; up to 8', collect)
    .option('-d, --daddr <addr,...>', 'destination address', collect)
    .option('--addr <addr,...>', 'source or destination address', collect)
    .option('-S, --sport <port,...>', 'source port, or range such as 8000-8010; up to 16', collect)
    .option('-D, --dport <port,...>', 'destination port', collect)
    .option('-P, --port <port,...>', 'source or destination port', collect);
}

/** A name, which is checked with the other filters, or a number. */
function protoOption(): Option {
  return new Option('-p, --proto <proto>', 'protocol, or the number of one that IP carries')
    .choices(FILTER_PROTOS)
    .argParser((text) => (/^\d+$/.test(text) ? Number(text) : text));
}

/** The filters that live traces and files have in common. */
export function addFilterOptions(command: Command): Command {
  command.optionsGroup('Which packets (all that is given must hold; lists with commas):');
  return addAddressOptions(command)
    .addOption(protoOption())
    .option('--tcp-flags <flags,...>', 'TCP flags of SARPFU, all of one set (SA,R: SYN-ACKs and RSTs)', collect)
    .option('--pkt-len <n|n-m>', 'length from the IP or ARP header on, or a range')
    .option('--netns <ns,...>', 'network namespace: inode, path, or name that ip netns lists', collect)
    .option('--ifname <interface>', "interface of the first sight, or of a socket's route")
    .option('--pid <pid>', "process that owns the packet's socket", wholeNumber('pid'))
    .option('--comm <name>', 'name of that process, at most 15 bytes');
}

/** How what is shown is written, live or from files. */
export function addOutputOptions(command: Command): Command {
  return command
    .optionsGroup('Findings (with whole ways of packets):')
    .option('--diag', 'what is wrong, and what to do about it; ends at the first error')
    .option('--diag-keep', 'with --diag: go on after an error')
    .option('--diag-quiet', 'with --diag: only packets with a warning or an error')
    .option('--explain', 'evidence and advice of verdicts; a verdict for each TCP connection')
    .optionsGroup('Output:')
    .option('-c, --count <n>', 'end after so many packets, or whatever is reported', wholeNumber('count'))
    .option('--json', 'one JSON object a line: a packet, or whatever is reported')
    .option('-o, --output <file>', 'write to a file (mode 0600), compressed if it ends in .gz or .zst')
    .option('--rotate <size[,n]>', 'keep n (9) full files, FILE.1 ..., of SIZE bytes (K, M, G)')
    .option('--date', 'wall-clock time in place of seconds since the machine started')
    .option('--detail', 'skb, CPU, interface, owner, netns, TCP options, mark and length')
    .option('--ret', 'return values of all functions')
    .option('--tiny-show', 'the packet on the first line of its block, notes on drops only')
    .option('--latency-show', 'milliseconds since the last function, and of the whole way')
    .option(
      '--min-latency <us>',
      'packets that took at least so long; shown as with --latency-show',
      positiveNumber('--min-latency'),
    );
}

/** How the text is to look. `columns`: of the terminal that it goes to. */
export function textOptions(options: OutputOptions): TextOptions {
  const color = useColor(options);
  const toTerminal = options.output === undefined && Boolean(process.stdout.isTTY);
  return {
    detail: options.detail ?? false,
    date: options.date ?? false,
    ret: options.ret ?? false,
    color,
    tinyShow: options.tinyShow ?? false,
    explain: options.explain ?? false,
    hideVerdict: Boolean(options.diag && !options.explain),
    latencyShow: Boolean(options.latencyShow || options.minLatency),
    columns: toTerminal ? process.stdout.columns || 80 : undefined,
  };
}

/** Colours are for a terminal, and for users who want them. */
export function useColor({ output }: { output?: string }): boolean {
  return output === undefined && Boolean(process.stdout.isTTY) && !process.env.NO_COLOR;
}
