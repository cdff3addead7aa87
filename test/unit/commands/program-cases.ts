import type { TraceOptions } from '../../../src/options.js';
import { FILTER_PROTOS } from '../../../src/protocols.js';

/** How one option is tried. */
export interface OptionCase {
  /** Words that give it, in each of its spellings. */
  words: string[];
  /** What the command gets. */
  options?: Record<string, unknown>;
  /** What the library is asked for by live traces; undefined where it is not told. */
  trace?: TraceOptions;
  /** Standard output of an option that only prints. */
  prints?: RegExp;
  /** Values that are refused, and what is said of them. */
  refused?: [words: string[], message: string | RegExp][];
}

/** An option that the library has by the same name. */
function passed(words: string[], options: TraceOptions & Record<string, unknown>, ...refused: [string[], string][]) {
  return { words, options, trace: options, refused };
}

/** An option that only the command line has. */
function own(words: string[], options: Record<string, unknown>, ...refused: [string[], string | RegExp][]) {
  return { words, options, refused };
}

function mode(name: NonNullable<TraceOptions['mode']>, options: Record<string, unknown>): OptionCase {
  return { words: [`--${name}`], options, trace: { mode: name } };
}

const notANumber = (name: string, value = 'x'): [string[], string] => [
  [`--${name}`, value],
  `--${name} must be a number, not '${value}'`,
];
const NO_PORT = "must be a whole number from 0 to 65535, not 'x'";
const NO_FLAGS = "TCP flags are letters of S A R P F U, not 'SX'";
const LONG_NAME = 'a-name-of-sixteen';

/** Of every option that nettrace has; those of its commands with the same name are tried with the same words. */
export const CASES: Readonly<Record<string, OptionCase>> = {
  '--saddr': passed(
    ['-s', '10.0.0.1,10.1.0.0/16', '--saddr', '::1', '--saddr=fe80::1'],
    { saddr: ['10.0.0.1', '10.1.0.0/16', '::1', 'fe80::1'] },
    [['-s', 'localhost'], "source address must be an IPv4 or IPv6 address or CIDR, not 'localhost'"],
    [['-s', '1.1.1.1,'.repeat(8)], "source address must be an IPv4 or IPv6 address or CIDR, not ''"],
  ),
  '--daddr': passed(['-d10.0.0.1', '--daddr', '::1'], { daddr: ['10.0.0.1', '::1'] }, [
    ['-d', '10.0.0.1/33'],
    "destination address prefix of '10.0.0.1/33' must be a whole number from 0 to 32, not '33'",
  ]),
  '--addr': passed(
    ['--addr', '10.0.0.1'],
    { addr: ['10.0.0.1'] },
    [['--addr', Array(9).fill('1.1.1.1').join()], 'address takes at most 8 values, not 9'],
    [['--addr', '10.0.0.1', '-p', 'ipv6'], 'IPv4 and IPv6 are asked for at once: the filter would match nothing'],
  ),
  '--sport': passed(
    ['-S', '1,2-3', '--sport', '4'],
    { sport: ['1', '2-3', '4'] },
    [['-S', 'x'], `source port ${NO_PORT}`],
    [['-S', '9-1'], "source port range '9-1' ends before it starts"],
  ),
  '--dport': passed(['-D', '80', '--dport', '443'], { dport: ['80', '443'] }, [
    ['-D', 'x'],
    `destination port ${NO_PORT}`,
  ]),
  '--port': passed(
    ['-P', '8000-8010', '--port', '443'],
    { port: ['8000-8010', '443'] },
    [['-P', 'x'], `port ${NO_PORT}`],
    [['-P', Array(17).fill('1').join()], 'port takes at most 16 values, not 17'],
    [['-P'], "option '-P, --port <port,...>' argument missing"],
    [['-P', '80', '-p', 'icmp'], 'icmp has no ports: a port filter would match nothing'],
  ),
  '--proto': passed(['-p', 'udp', '--proto', 'tcp'], { proto: 'tcp' }, [
    ['-p', 'rarp'],
    `protocol must be one of ${FILTER_PROTOS.join(', ')}, or a number from 1 to 255, not 'rarp'`,
  ]),
  '--tcp-flags': passed(
    ['--tcp-flags', 'SA,R'],
    { tcpFlags: ['SA', 'R'] },
    [['--tcp-flags', 'SX'], NO_FLAGS],
    [['--tcp-flags', 'S', '-p', 'udp'], 'udp has no TCP flags: the filter would match nothing'],
  ),
  '--pkt-len': passed(
    ['--pkt-len', '100-200'],
    { pktLen: '100-200' },
    [['--pkt-len', '0'], "packet length must be at least 1, not '0'"],
    [['--pkt-len', '1k'], "packet length must be a whole number from 0 to 4294967295, not '1k'"],
  ),
  '--netns': {
    words: ['--netns', 'blue'],
    options: { netns: ['blue'] },
    trace: { netns: 'blue' },
    refused: [
      [
        ['--netns', 'no-such-netns'],
        "there is no network namespace 'no-such-netns' (/run/netns/no-such-netns: ENOENT)",
      ],
      [['--netns', '1,no-such-netns'], /^there is no network namespace 'no-such-netns'/],
    ],
  },
  '--netns-current': passed(['--netns-current'], { netnsCurrent: true }, [
    ['--netns-current', '--netns', '1'],
    "option '--netns-current' cannot be used with option '--netns <ns,...>'",
  ]),
  '--ifname': passed(
    ['--ifname', 'eth0'],
    { ifname: 'eth0' },
    [['--ifname', LONG_NAME], `interface names have 1 to 15 bytes, not '${LONG_NAME}'`],
    [['--ifname', 'nettrace-none'], "there is no interface 'nettrace-none' in this network namespace"],
  ),
  '--pid': passed(
    ['--pid', '17'],
    { pid: 17 },
    [['--pid', '-1'], "pid must be a whole number, not '-1'"],
    [['--pid', '0'], "pid must be a whole number from 1 to 2147483647, not '0'"],
  ),
  '--comm': passed(['--comm', 'curl'], { comm: 'curl' }, [
    ['--comm', LONG_NAME],
    `names of processes have 1 to 15 bytes, not '${LONG_NAME}'`,
  ]),
  '--filter': {
    words: ['--filter', 'tcp port 80'],
    options: { filter: 'tcp port 80' },
    trace: { expression: 'tcp port 80' },
    refused: [[['--filter', 'prt 80'], /^filter expression, column 1: syntax error/]],
  },
  '--filter-tunnel': {
    ...passed(['--filter-tunnel', 'tcp port 80'], { filterTunnel: 'tcp port 80' }),
    refused: [[['--filter-tunnel', 'prt 80'], /^tunnel filter, column 1: syntax error/]],
  },
  '--filter-meta': {
    ...passed(['--filter-meta', 'mark == 1'], { filterMeta: 'mark == 1' }),
    refused: [[['--filter-meta', '=='], /^metadata filter, column 1: /]],
  },
  '--basic': mode('basic', { basic: true }),
  '--drop': mode('drop', { drop: true }),
  '--monitor': mode('monitor', { monitor: true }),
  '--sock': mode('sock', { sock: true }),
  '--rtt': mode('rtt', { rtt: true }),
  '--rtt-detail': mode('rtt-detail', { rttDetail: true }),
  '--latency': mode('latency', { latency: true }),
  '--latency-summary': mode('latency-summary', { latencySummary: true }),
  '--func-stats': mode('func-stats', { funcStats: true }),
  '--drop-stack': {
    words: ['--drop', '--drop-stack'],
    options: { drop: true, dropStack: true },
    trace: { mode: 'drop', traceStack: ['kfree_skb'] },
    refused: [[['--drop-stack'], '--drop-stack makes no sense without --drop']],
  },
  '--drop-all': {
    words: ['--monitor', '--drop-all'],
    options: { monitor: true, dropAll: true },
    trace: { mode: 'monitor', dropAll: true },
    refused: [[['--drop-all'], '--drop-all makes no sense without --drop or --monitor']],
  },
  '--latency-free': {
    words: ['--latency', '--latency-free'],
    options: { latency: true, latencyFree: true },
    trace: { mode: 'latency', latencyFree: true },
    refused: [
      [['--latency-free'], '--latency-free makes no sense without another mode: it takes no times between functions'],
    ],
  },
  '--filter-srtt': {
    words: ['--rtt', '--filter-srtt', '0.5'],
    options: { rtt: true, filterSrtt: 0.5 },
    trace: { mode: 'rtt', filterSrtt: 0.5 },
    refused: [
      notANumber('filter-srtt'),
      [['--filter-srtt', '1'], '--filter-srtt makes no sense without another mode: it sees no round-trip times'],
      [
        ['--sock', '--filter-srtt', '9999999'],
        "minimum smoothed RTT must be a number from 0 to 2147483, not '9999999'",
      ],
    ],
  },
  '--filter-minrtt': {
    words: ['--sock', '--filter-minrtt', '20'],
    options: { sock: true, filterMinrtt: 20 },
    trace: { mode: 'sock', filterMinrtt: 20 },
    refused: [notANumber('filter-minrtt'), notANumber('filter-minrtt', '-1')],
  },
  '--trace': passed(['-t', 'tcp,ip_*', '--trace', 'ip_rcv'], { trace: ['tcp', 'ip_*', 'ip_rcv'] }, [
    ['--rtt', '-t', 'tcp'],
    '--trace makes no sense with --rtt: its functions are fixed',
  ]),
  '--trace-exclude': passed(['--trace-exclude', 'nf,ip_rcv'], { traceExclude: ['nf', 'ip_rcv'] }, [
    ['--drop', '--trace-exclude', 'nf'],
    '--trace-exclude makes no sense with --drop: its functions are fixed',
  ]),
  '--trace-matcher': passed(['--trace-matcher', 'ip_rcv'], { traceMatcher: ['ip_rcv'] }, [
    ['--basic', '--trace-matcher', 'ip_rcv'],
    '--trace-matcher makes no sense with --basic: it does not follow packets',
  ]),
  '--trace-free': passed(['--trace-free', 'consume_skb'], { traceFree: ['consume_skb'] }, [
    ['--sock', '--trace-free', 'consume_skb'],
    '--trace-free makes no sense with --sock: it does not follow packets',
  ]),
  '--trace-stack': passed(['--trace-stack', 'ip_rcv'], { traceStack: ['ip_rcv'] }, [
    ['--func-stats', '--trace-stack', 'ip_rcv'],
    '--trace-stack makes no sense with --func-stats: it shows no single events',
  ]),
  '--trace-noclone': passed(['--trace-noclone'], { traceNoclone: true }, [
    ['--monitor', '--trace-noclone'],
    '--trace-noclone makes no sense with --monitor: it does not follow packets',
  ]),
  '--diag': own(['--diag'], { diag: true }, [
    ['--drop', '--diag'],
    '--diag makes no sense with --drop: it shows no whole ways',
  ]),
  '--diag-keep': own(['--diag', '--diag-keep'], { diag: true, diagKeep: true }, [
    ['--diag-keep'],
    '--diag-keep makes no sense without --diag',
  ]),
  '--diag-quiet': {
    words: ['--diag', '--diag-quiet'],
    options: { diag: true, diagQuiet: true },
    trace: { abnormalOnly: true },
    refused: [[['--diag-quiet'], '--diag-quiet makes no sense without --diag']],
  },
  '--explain': {
    words: ['--explain'],
    options: { explain: true },
    trace: { explain: true, detail: true },
    refused: [[['--drop', '--explain'], '--explain makes no sense with --drop: it shows no whole ways']],
  },
  '--count': passed(
    ['-c', '3', '--count', '4'],
    { count: 4 },
    [['-c', '0'], "count must be a whole number from 1 to 2147483647, not '0'"],
    [['-c', 'many'], "count must be a whole number, not 'many'"],
  ),
  '--json': { words: ['--json'], options: { json: true }, trace: { detail: true, bytes: true } },
  '--output': own(['-o', 'a', '--output', 't.ndjson'], { output: 't.ndjson' }),
  '--rotate': own(
    ['-o', 't', '--rotate', '1M,3'],
    { output: 't', rotate: '1M,3' },
    [['-o', 't', '--rotate', 'big'], "rotation takes SIZE[,COUNT] with a size of at least 4K, not 'big'"],
    [['-o', 't', '--rotate', '1M,0'], "rotation keeps 1 to 999 files, not '0'"],
  ),
  '--date': own(['--date'], { date: true }, [['--json', '--date'], '--date makes no sense with --json: it has all']),
  '--detail': { words: ['--detail'], options: { detail: true }, trace: { detail: true } },
  '--ret': passed(['--ret'], { ret: true }),
  '--tiny-show': own(['--tiny-show'], { tinyShow: true }, [
    ['--json', '--tiny-show'],
    '--tiny-show makes no sense with --json: it has all',
  ]),
  '--latency-show': own(['--latency-show'], { latencyShow: true }, [
    ['--json', '--latency-show'],
    '--latency-show makes no sense with --json: it has all',
  ]),
  '--min-latency': {
    ...passed(['--min-latency', '2.5'], { minLatency: 2.5 }),
    refused: [notANumber('min-latency'), notANumber('min-latency', '-1')],
  },
  '--hooks': passed(['--hooks'], { hooks: true }, [
    ['--drop', '--hooks'],
    '--hooks makes no sense with --drop: it shows no netfilter hooks',
  ]),
  '--counters': passed(['--counters'], { counters: true }, [
    ['--drop', '--counters'],
    '--counters makes no sense with --drop: only whole ways of packets tell what moved a counter',
  ]),
  '--backend': passed(['--backend', 'kprobe'], { backend: 'kprobe' }, [
    ['--backend', 'x'],
    "option '--backend <name>' argument 'x' is invalid. Allowed choices are kprobe-multi, kprobe, fentry, tracepoint.",
  ]),
  '--rate-limit': passed(
    ['--rate-limit', '100'],
    { rateLimit: 100 },
    [['--rate-limit', '0'], "rate limit must be a whole number from 1 to 2147483647, not '0'"],
    [['--rate-limit', '1.5'], "--rate-limit must be a whole number, not '1.5'"],
  ),
  '--sample': passed(
    ['--sample', '1/100'],
    { sample: '1/100' },
    [['--sample', '1/0'], "the sample must be auto, off, or 1/N with N from 1 to 1000000, not '1/0'"],
    [['--sample', '0.1'], "the sample must be auto, off, or 1/N with N from 1 to 1000000, not '0.1'"],
    [['--counters', '--sample', '1/2'], '--sample 1/2 makes no sense with --counters, which needs all packets'],
    [['--explain', '--sample', 'auto'], '--sample auto makes no sense with --explain, which needs all packets'],
    [['--drop', '--sample', 'off'], '--sample makes no sense with --drop: it does not follow packets'],
  ),
  '--buffer': {
    words: ['--buffer', '65536'],
    options: { buffer: 65536 },
    trace: { bufferBytes: 65536 },
    refused: [
      [['--buffer', '5000'], 'the buffer must be a power of two from 4096 to 1073741824 bytes, not 5000'],
      [['--buffer', '1M'], "--buffer must be a whole number, not '1M'"],
    ],
  },
  '--btf-path': passed(['--btf-path', '/tmp/vmlinux'], { btfPath: '/tmp/vmlinux' }),
  '--force': passed(['--force'], { force: true }),
  '--verbose': own(['-v', '--verbose'], { verbose: true }),
  '--debug': own(['--debug'], { debug: true }),
  '--version': { words: ['--version'], prints: /^\d+\.\d+\.\d+\n$/ },
  '--help': { words: ['--help'], prints: /^Usage: nettrace/ },
};

/** Options that only a command has. */
export const COMMAND_CASES: Readonly<Record<string, OptionCase>> = {
  '--set': own(
    ['--set', 'port=80', '--set=name=a,b'],
    { set: ['port=80', 'name=a,b'] },
    [['repro', 'tcp-no-listener', '--set', 'port'], "--set takes name=value, not 'port'"],
    [['repro', 'tcp-no-listener', '--set', 'port=0'], "port must be a whole number from 1 to 65535, not '0'"],
    [['repro', 'tcp-no-listener', '--set', 'prot=1'], "no case that is asked for has a parameter 'prot'"],
    [['repro', 'tcp-no-listener', '--set', 'port=1', '--set', 'port=2'], '--set port is given twice'],
  ),
  '--repeat': own(
    ['--repeat', '3'],
    { repeat: 3 },
    [['repro', 'tcp-no-listener', '--repeat', '0'], "--repeat must be at least 1, not '0'"],
    [['repro', 'tcp-no-listener', '--repeat', 'x'], "--repeat must be a whole number, not 'x'"],
  ),
  '--jobs': own(['--jobs', '4'], { jobs: 4 }, [
    ['repro', 'tcp-no-listener', '--jobs', '0'],
    "--jobs must be at least 1, not '0'",
  ]),
  '--seed': own(['--seed', '7'], { seed: 7 }, [
    ['repro', 'tcp-no-listener', '--seed', 'x'],
    "--seed must be a whole number, not 'x'",
  ]),
  '--keep': own(['--keep'], { keep: true }),
  '--pcap': own(['--pcap', 't.pcap'], { pcap: 't.pcap' }, [
    ['repro', 'tcp-no-listener', '--pcap', ''],
    "a file to write to needs a name, not ''",
  ]),
  '--follow': own(['-F', '--follow'], { follow: true }),
  'connections --netns': own(['--netns', 'blue'], { netns: 'blue' }),
  '--state': own(['--state', 'ESTABLISHED,syn-recv'], { state: ['ESTABLISHED', 'syn-recv'] }, [
    ['connections', '--state', 'OPEN'],
    /^states are of ESTABLISHED, SYN_SENT, .*LISTEN, CLOSING, not 'OPEN'$/,
  ]),
  '--listen': own(
    ['-l', '--listen'],
    { listen: true },
    [['connections', '-l', '-p', 'udp'], 'udp sockets have no states to choose from, and do not listen'],
    [['connections', '-l', '--state', 'LISTEN'], 'listeners have one state: give either states or listen'],
  ),
};

/** Options that make no sense together, beyond those above. */
export const COMBINATIONS: readonly [words: string, message: string][] = [
  ['--drop --sock', '--drop and --sock: choose one mode'],
  ['--basic --rtt --rtt-detail', '--basic and --rtt and --rtt-detail: choose one mode'],
  ['--latency --func-stats', '--latency and --func-stats: choose one mode'],
  ['--drop-stack --monitor', '--drop-stack makes no sense without --drop'],
  ['--drop-all --basic', '--drop-all makes no sense without --drop or --monitor'],
  ['--latency-free --drop', '--latency-free makes no sense with --drop: it takes no times between functions'],
  ['--diag --latency', '--diag makes no sense with --latency: it shows no whole ways'],
  ['--tiny-show --basic', '--tiny-show makes no sense with --basic: it shows no whole ways'],
  ['--latency-show --drop', '--latency-show makes no sense with --drop: it shows no whole ways'],
  ['--min-latency 1 --drop', '--min-latency makes no sense with --drop: it takes no times between functions'],
  ['--ret --basic', '--ret makes no sense with --basic: only packets that are followed have return values'],
  ['--rate-limit 1 --rtt', '--rate-limit makes no sense with --rtt: it shows no single events'],
  ['--filter-minrtt 1 --latency', '--filter-minrtt makes no sense with --latency: it sees no round-trip times'],
  ['--tcp-flags S --sock', '--tcp-flags makes no sense with --sock: it sees sockets, not packets'],
  ['--pkt-len 9 --rtt', '--pkt-len makes no sense with --rtt: it sees sockets, not packets'],
  ['--filter-meta mark --sock', '--filter-meta makes no sense with --sock: it sees sockets, not packets'],
  ['--filter-tunnel tcp --sock', '--filter-tunnel makes no sense with --sock: it sees sockets, not packets'],
  ['--proto icmp --sock', '--proto icmp makes no sense with --sock: it sees TCP and UDP sockets'],
  ['--rotate 1M', '--rotate needs a file to rotate'],
  ['show - --diag-quiet', '--diag-quiet makes no sense without --diag'],
  ['show - --json --tiny-show', '--tiny-show makes no sense with --json: it has all'],
  ['show - --json --ret', '--ret makes no sense with --json: it has all'],
  ['show - --rtt --date', '--date makes no sense with --rtt: it shows no single events'],
  ['show - -F', '--follow takes one file by its name'],
  ['show - -', 'standard input can be read only once'],
  ['show - --rotate 1M', '--rotate needs a file to rotate'],
  ['show - --force', "unknown option '--force'"],
  ['--force show -', "option '--force' is not for nettrace show"],
  ['no-such-command', 'filter expression, column 1: syntax error'],
  ['show', "missing required argument 'file'"],
  ['diff -', "missing required argument 'bad'"],
  ['diff - -', 'standard input can be read only once'],
  ['diff - - --detail', "unknown option '--detail'"],
  ['repro', "missing required argument 'name'"],
  ['repro no-such-case', "there is no case or group 'no-such-case'"],
  ['repro ./no-such-case.ts', "there is no file './no-such-case.ts'"],
  ['repro tcp-no-listener --rotate 1M', "unknown option '--rotate'"],
  ['--drop repro tcp-no-listener', "option '--drop' is not for nettrace repro"],
  ['-p icmp connections', "the protocol must be one of tcp, udp, raw, not 'icmp'"],
  [
    'connections -p icmp',
    "option '-p, --proto <proto>' argument 'icmp' is invalid. Allowed choices are tcp, udp, raw.",
  ],
  ['connections -P x', "port must be a whole number from 0 to 65535, not 'x'"],
  ['--drop connections', "option '--drop' is not for nettrace connections"],
  ['-P 80 doctor', "option '-P, --port <port,...>' is not for nettrace doctor"],
  ['--drop probes', "option '--drop' is not for nettrace probes"],
  ['doctor now', "too many arguments for 'doctor'. Expected 0 arguments but got 1."],
];
