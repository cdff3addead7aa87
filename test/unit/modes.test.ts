import { describe, expect, it } from 'vitest';
import { UsageError } from '../../src/errors.js';
import { checkMode, checkSocketProto, followsPackets, MODES, type Mode, watchesSockets } from '../../src/modes.js';
import type { TraceOptions } from '../../src/options.js';

/** An option with a value that asks for something; where it means something, and where it does not, with the reason. */
const ROWS: [options: TraceOptions, accepted: Mode, refused: Mode, message: string][] = [
  [{ trace: ['ip_rcv'] }, 'life', 'drop', '--trace makes no sense with --drop: its functions are fixed'],
  [{ trace: ['tcp_ack'] }, 'sock', 'rtt', '--trace makes no sense with --rtt: its functions are fixed'],
  [
    { traceExclude: ['ip_rcv'] },
    'func-stats',
    'rtt-detail',
    '--trace-exclude makes no sense with --rtt-detail: its functions are fixed',
  ],
  [
    { traceMatcher: ['ip_rcv'] },
    'latency',
    'basic',
    '--trace-matcher makes no sense with --basic: it does not follow packets',
  ],
  [
    { traceFree: ['ip_rcv'] },
    'latency-summary',
    'sock',
    '--trace-free makes no sense with --sock: it does not follow packets',
  ],
  [
    { traceNoclone: true },
    'life',
    'monitor',
    '--trace-noclone makes no sense with --monitor: it does not follow packets',
  ],
  [
    { minLatency: 0 },
    'life',
    'basic',
    '--min-latency makes no sense with --basic: it takes no times between functions',
  ],
  [
    { latencyFree: true },
    'latency',
    'life',
    '--latency-free makes no sense without another mode: it takes no times between functions',
  ],
  [
    { traceStack: ['ip_rcv'] },
    'basic',
    'func-stats',
    '--trace-stack makes no sense with --func-stats: it shows no single events',
  ],
  [{ bufferBytes: 4096 }, 'sock', 'func-stats', '--buffer makes no sense with --func-stats: it counts in the kernel'],
  [{ rateLimit: 5 }, 'latency', 'rtt', '--rate-limit makes no sense with --rtt: it shows no single events'],
  [
    { ret: true },
    'life',
    'latency',
    '--ret makes no sense with --latency: only packets that are followed have return values',
  ],
  [{ explain: true }, 'life', 'sock', '--explain makes no sense with --sock: it shows no whole ways'],
  [{ hooks: true }, 'life', 'basic', '--hooks makes no sense with --basic: it shows no netfilter hooks'],
  [{ filterSrtt: 0 }, 'rtt', 'life', '--filter-srtt makes no sense without another mode: it sees no round-trip times'],
  [{ filterMinrtt: 1.5 }, 'monitor', 'drop', '--filter-minrtt makes no sense with --drop: it sees no round-trip times'],
  [{ tcpFlags: ['S'] }, 'drop', 'sock', '--tcp-flags makes no sense with --sock: it sees sockets, not packets'],
  [{ pktLen: '60' }, 'func-stats', 'rtt', '--pkt-len makes no sense with --rtt: it sees sockets, not packets'],
  [{ filterTunnel: 'tcp' }, 'life', 'sock', '--filter-tunnel makes no sense with --sock: it sees sockets, not packets'],
  [
    { filterMeta: 'mark == 1' },
    'basic',
    'rtt-detail',
    '--filter-meta makes no sense with --rtt-detail: it sees sockets, not packets',
  ],
];

describe('an option', () => {
  it.each(ROWS)('%j goes with %s, and is refused with %s', (options, accepted, refused, message) => {
    expect(() => checkMode(accepted, options)).not.toThrow();
    expect(() => checkMode(refused, options)).toThrow(new UsageError(message));
  });

  it('that was not given, is false or an empty list is refused nowhere', () => {
    const nothing: TraceOptions = { trace: [], traceStack: [], traceNoclone: false, ret: false, hooks: false };
    for (const mode of MODES) expect(() => checkMode(mode, nothing), mode).not.toThrow();
  });

  it('that is asked of every event goes with all modes that do not say otherwise', () => {
    for (const mode of MODES) {
      const options: TraceOptions = { saddr: ['10.0.0.1'], port: [80], netns: '1', pid: 7, comm: 'nginx', count: 3 };
      expect(() => checkMode(mode, options), mode).not.toThrow();
    }
  });
});

describe('a protocol', () => {
  it('without ports has no sockets that could be watched', () => {
    for (const mode of ['sock', 'rtt', 'rtt-detail'] as const) {
      for (const proto of ['tcp', 'ip', 'ipv6'] as const) checkMode(mode, { proto });
      for (const proto of ['icmp', 'icmpv6', 'arp'] as const)
        expect(() => checkMode(mode, { proto })).toThrow(
          `--proto ${proto} makes no sense with --${mode}: it sees TCP and UDP sockets`,
        );
    }
    for (const mode of MODES) if (!watchesSockets(mode)) checkMode(mode, { proto: 'arp' });
  });

  it('that measures no round-trip times is refused where they are asked for', () => {
    for (const mode of ['rtt', 'rtt-detail'] as const)
      expect(() => checkMode(mode, { proto: 'udp' })).toThrow(
        `--proto udp makes no sense with --${mode}: UDP measures no round-trip times`,
      );
    checkMode('sock', { proto: 'udp' });
  });

  it('none of whose sockets the functions of --sock see is refused, until functions are named', () => {
    expect(() => checkSocketProto('sock', { proto: 'udp' })).toThrow(
      "--proto udp makes no sense with --sock alone: its default functions are TCP's",
    );
    expect(() => checkSocketProto('sock', { proto: 'udp', trace: ['default'] })).toThrow(UsageError);
    for (const options of [{ proto: 'udp', trace: ['udp'] }, { proto: 'tcp' }, {}] as const)
      expect(() => checkSocketProto('sock', options)).not.toThrow();
    expect(() => checkSocketProto('life', { proto: 'udp' })).not.toThrow();
  });
});

describe('a mode', () => {
  it('that does not exist is refused, with all that do', () => {
    expect(() => checkMode('histogram' as Mode, {})).toThrow(
      new UsageError(`the mode must be one of ${MODES.join(', ')}, not 'histogram'`),
    );
  });

  it('follows packets or watches sockets, or neither, but never both', () => {
    expect(MODES.filter(followsPackets)).toEqual(['life', 'latency', 'latency-summary']);
    expect(MODES.filter(watchesSockets)).toEqual(['sock', 'rtt', 'rtt-detail']);
  });
});
