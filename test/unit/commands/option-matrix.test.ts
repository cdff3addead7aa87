import { describe, expect, it } from 'vitest';
import { checkOutput } from '../../../src/commands/common-options.js';
import { buildProgram } from '../../../src/commands/program.js';
import { RecordPrinter } from '../../../src/commands/record-printer.js';
import { type TraceCommandOptions, toTraceOptions } from '../../../src/commands/trace.js';
import { UsageError } from '../../../src/errors.js';
import type { Kernel } from '../../../src/load/kernel.js';
import { selectProbes } from '../../../src/load/select-probes.js';
import { MODES, type Mode } from '../../../src/modes.js';
import { parseFilter } from '../../../src/options.js';
import type { OutputRecord } from '../../../src/types.js';
import { FULL_EVENT, RECORDS } from '../../support/output-records.js';
import { skbTrace, traceEvent } from '../../support/traces.js';

/** How an option is given, beyond the mode. */
type Given = Partial<TraceCommandOptions>;

/** What changes the text of the records of a mode. */
const SHOWN: Readonly<Record<string, Given>> = {
  '--detail': { detail: true },
  '--date': { date: true },
  '--ret': { ret: true },
  '--tiny-show': { tinyShow: true },
  '--latency-show': { latencyShow: true },
  '--diag': { diag: true },
  '--explain': { explain: true },
};

/** What changes the probes that are attached. */
const ATTACHED: Readonly<Record<string, Given>> = {
  '--trace': { trace: ['kfree_skb'] },
  '--trace-exclude': { traceExclude: ['tcp'] },
  '--trace-matcher': { traceMatcher: ['ip_rcv'] },
  '--trace-free': { traceFree: ['ip_rcv'] },
  '--trace-stack': { traceStack: ['kfree_skb'] },
  '--trace-noclone': { traceNoclone: true },
  '--drop-stack': { dropStack: true },
};

/** What the kernel side or the run itself obeys, in every mode that is not listed. */
const OBEYED: Readonly<Record<string, { given: Given; refusedIn: readonly Mode[] }>> = (() => {
  const only = (given: Given, ...modes: Mode[]) => ({
    given,
    refusedIn: MODES.filter((mode) => !modes.includes(mode)),
  });
  const except = (given: Given, ...refusedIn: Mode[]) => ({ given, refusedIn });
  const sockets: Mode[] = ['sock', 'rtt', 'rtt-detail'];
  const counts: Mode[] = ['rtt', 'latency-summary', 'func-stats'];
  return {
    '--saddr': except({ saddr: ['10.0.0.1'] }),
    '--daddr': except({ daddr: ['10.0.0.1'] }),
    '--addr': except({ addr: ['10.0.0.1'] }),
    '--sport': except({ sport: ['80'] }),
    '--dport': except({ dport: ['80'] }),
    '--port': except({ port: ['80'] }),
    '--proto': except({ proto: 'udp' }, 'rtt', 'rtt-detail'),
    '--ifname': except({ ifname: 'lo' }),
    '--netns': except({ netns: ['1'] }),
    '--netns-current': except({ netnsCurrent: true }),
    '--pid': except({ pid: 1 }),
    '--comm': except({ comm: 'x' }),
    '--tcp-flags': except({ tcpFlags: ['S'] }, ...sockets),
    '--pkt-len': except({ pktLen: '60' }, ...sockets),
    '--filter': except({ filter: 'tcp' }),
    '--filter-tunnel': except({ filterTunnel: 'tcp' }, ...sockets),
    '--filter-meta': except({ filterMeta: 'mark == 1' }, ...sockets),
    '--filter-srtt': only({ filterSrtt: 1 }, ...sockets, 'monitor'),
    '--filter-minrtt': only({ filterMinrtt: 1 }, ...sockets, 'monitor'),
    '--drop-all': only({ dropAll: true }, 'drop', 'monitor'),
    '--min-latency': only({ minLatency: 5 }, 'life', 'latency', 'latency-summary'),
    '--latency-free': only({ latencyFree: true }, 'latency', 'latency-summary'),
    '--hooks': only({ hooks: true }, 'life'),
    '--counters': only({ counters: true }, 'life'),
    '--diag-keep': only({ diag: true, diagKeep: true }, 'life'),
    '--diag-quiet': only({ diag: true, diagQuiet: true }, 'life'),
    '--sample': only({ sample: '1/2' }, 'life', 'latency', 'latency-summary'),
    '--rate-limit': except({ rateLimit: 1 }, ...counts),
    '--buffer': except({ buffer: 4096 }, ...counts),
    '--count': except({ count: 1 }),
    '--json': except({ json: true }),
    '--output': except({ output: 'f' }),
    '--rotate': except({ output: 'f', rotate: '1M' }),
    '--backend': except({ backend: 'tracepoint' }),
    '--btf-path': except({ btfPath: 'f' }),
    '--force': except({ force: true }),
    '--verbose': except({ verbose: true }),
    '--debug': except({ debug: true }),
  };
})();

const PACKET = RECORDS.find((record) => record.type === 'packet')!;
const TRACE = skbTrace({
  events: [FULL_EVENT, traceEvent({ t: 1, notes: [{ level: 'info', text: 'x' }] })],
  verdict: { ...skbTrace().verdict, evidence: ['what says so'] },
});
/** It has no function but those of the table. */
const KERNEL = { btf: { functions: () => [], function: () => null } } as unknown as Pick<Kernel, 'btf'>;

/** A record as the mode reports it. */
function recordOf(mode: Mode): OutputRecord {
  const of = (type: OutputRecord['type']) => RECORDS.find((record) => record.type === type)!;
  switch (mode) {
    case 'life':
      return TRACE;
    case 'basic':
    case 'drop':
    case 'monitor':
      return { ...PACKET, mode } as OutputRecord;
    case 'sock':
    case 'rtt-detail':
      return of('socket');
    case 'latency':
      return of('latency');
    case 'func-stats':
      return of('functions');
    default:
      return of('histogram');
  }
}

function inMode(mode: Mode): Given {
  const name = mode.replace(/-(.)/, (_, letter: string) => letter.toUpperCase());
  return mode === 'life' ? {} : { [name]: true };
}

function isRefused(options: TraceCommandOptions): boolean {
  try {
    checkOutput(options);
    parseFilter(toTraceOptions(options));
    return false;
  } catch (error) {
    expect(error).toBeInstanceOf(UsageError);
    return true;
  }
}

const shown = (mode: Mode, options: Given) => new RecordPrinter(options).text(structuredClone(recordOf(mode)));
const attached = (mode: Mode, options: Given) =>
  selectProbes({ ...toTraceOptions({ ...inMode(mode), ...options }), mode }, KERNEL);

describe('every option with every mode', () => {
  it('is in one of the lists here', () => {
    const modes = new Set(MODES.map((mode) => `--${mode}`));
    const options = buildProgram('1', {} as never).options.map(({ long }) => long ?? '');
    const rest = options.filter((long) => !modes.has(long) && long !== '--version');
    expect(rest.sort()).toEqual([SHOWN, ATTACHED, OBEYED].flatMap((list) => Object.keys(list)).sort());
  });

  it.each(Object.entries(SHOWN))('%s is refused, or changes what is written', (_, given) => {
    for (const mode of MODES) {
      if (isRefused({ ...inMode(mode), ...given })) continue;
      expect(shown(mode, given), mode).not.toBe(shown(mode, {}));
    }
    expect(isRefused(given)).toBe(false);
  });

  it.each(Object.entries(ATTACHED))('%s is refused, or changes what is attached', (_, given) => {
    const taken = MODES.filter((mode) => !isRefused({ ...inMode(mode), ...given }));
    for (const mode of taken) {
      let changed: unknown;
      try {
        changed = attached(mode, given);
      } catch (error) {
        // no word of this mode: that is said, too
        expect(error).toBeInstanceOf(UsageError);
        continue;
      }
      expect(changed, mode).not.toEqual(attached(mode, {}));
    }
    expect(taken.length).toBeGreaterThan(0);
  });

  it.each(Object.entries(OBEYED))('%s is refused just where nothing obeys it', (_, { given, refusedIn }) => {
    expect(MODES.filter((mode) => isRefused({ ...inMode(mode), ...given }))).toEqual(refusedIn);
  });
});

describe('every option of the text', () => {
  it.each(Object.entries(SHOWN))('%s is refused with --json, or is more than text', (name, given) => {
    const isMore = ['--ret', '--diag', '--explain'].includes(name);
    expect(isRefused({ json: true, ...given })).toBe(!isMore);
  });

  it.each([{ ret: true }, { hooks: true }, { detail: true }, { date: true }])(
    '%j is refused with JSON of what was recorded: it has all',
    (given) => {
      expect(() => checkOutput({ json: true, ...given }, true)).toThrow(/makes no sense with --json: it has all$/);
      expect(() => checkOutput(given, true)).not.toThrow();
    },
  );
});
