import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { RecordPrinter } from '../../../src/commands/record-printer.js';
import { findings } from '../../../src/explain/findings.js';
import type { Histogram, NoteLevel, OutputRecord, SkbTrace } from '../../../src/types.js';
import { ROOT } from '../../support/command.js';
import { RECORDS } from '../../support/output-records.js';
import { skbTrace, traceEvent } from '../../support/traces.js';

const HEAD = '---------------- ANALYSIS RESULT ---------------------\n';

function packetWith(...levels: NoteLevel[]): SkbTrace {
  return skbTrace({ events: levels.map((level) => traceEvent({ notes: [{ level, text: `a ${level}` }] })) });
}

describe('without --diag', () => {
  it('packets are shown without findings, and an error is no end', () => {
    const printer = new RecordPrinter({});
    expect(printer.text(packetWith('error'))).not.toContain(HEAD);
    expect(printer.finished).toBe(false);
  });
});

describe('--diag', () => {
  it('puts the findings right behind the lines of the packet, and goes on after a warning', () => {
    const printer = new RecordPrinter({ diag: true });
    const text = printer.text(packetWith('info', 'warning'));
    expect(text).toContain(`*a warning*\n${HEAD}[1] WARNING happens in ip_rcv(ip-in):\n\ta warning\n\n`);
    expect(text).not.toContain('analysis finished!');
    expect(printer.finished).toBe(false);
  });

  it('is finished with the first error', () => {
    const printer = new RecordPrinter({ diag: true });
    expect(printer.text(packetWith('warning', 'error'))?.endsWith('\ta error\n\nanalysis finished!\n')).toBe(true);
    expect(printer.finished).toBe(true);
  });

  it('shows packets without findings too, a blank line behind each', () => {
    const printer = new RecordPrinter({ diag: true });
    expect(printer.text(packetWith('info'))?.endsWith(`*a info*\n${HEAD}\n`)).toBe(true);
  });

  it('with --diag-quiet shows packets with a warning or an error alone', () => {
    const printer = new RecordPrinter({ diag: true, diagQuiet: true });
    expect(printer.text(packetWith())).toBeUndefined();
    expect(printer.text(packetWith('info'))).toBeUndefined();
    expect(printer.text(packetWith('info', 'warning'))).toContain('[1] WARNING');
    expect(printer.finished).toBe(false);
    expect(printer.text(packetWith('error'))).toContain('[1] ERROR');
    expect(printer.finished).toBe(true);
  });

  it('with --diag-keep goes on after an error', () => {
    const printer = new RecordPrinter({ diag: true, diagKeep: true });
    for (let i = 0; i < 2; i++) {
      const text = printer.text(packetWith('error'));
      expect(text).toContain('[1] ERROR');
      expect(text).not.toContain('analysis finished!');
    }
    expect(printer.finished).toBe(false);
  });

  it('with --json ends as well, and leaves out the same', () => {
    const printer = new RecordPrinter({ diag: true, diagQuiet: true, json: true });
    expect(printer.text(packetWith('info'))).toBeUndefined();
    expect(JSON.parse(printer.text(packetWith('error'))!)).toMatchObject(packetWith('error'));
    expect(printer.finished).toBe(true);
  });

  it('with --json has the findings of the text in their order, and only then', () => {
    const record = packetWith('warning', 'info', 'error');
    const written = JSON.parse(new RecordPrinter({ diag: true, json: true }).text(record)!);
    expect(written.findings).toEqual(findings(record));
    expect(written.findings.map(({ level }: { level: string }) => level)).toEqual(['warning', 'error']);
    expect(JSON.parse(new RecordPrinter({ json: true }).text(record)!)).not.toHaveProperty('findings');
    const good = JSON.parse(new RecordPrinter({ diag: true, json: true }).text(packetWith('info'))!);
    expect(good.findings).toEqual([]);
  });
});

describe('--json', () => {
  it('is one line for each record of any kind', () => {
    const printer = new RecordPrinter({ json: true });
    for (const record of RECORDS) expect(JSON.parse(printer.text(record)!)).toEqual(record);
  });
});

describe('records from files', () => {
  it('that lack one of two numbers show that it is not known', () => {
    const tcp = { seq: 1, ack: 2, flags: 'A', win: 3, payload: 0, tsval: 5 };
    const lacking = [
      skbTrace({ events: [traceEvent({ tcp }), traceEvent({ icmp: { type: 8, code: 0, id: 1 }, proto: 'icmp' })] }),
      {
        ...RECORDS.find((record) => record.type === 'socket')!,
        socket: { state: 'LISTEN', caState: 'CA_Open', wmem: 0, acceptLimit: 5 },
      } as OutputRecord,
    ];
    const text = lacking.map((record) => new RecordPrinter({ detail: true }, true).text(record)).join('');
    expect(text).not.toMatch(/undefined|NaN/);
    expect(text).toContain('ts:5, ecr:?');
  });

  it('have every text in them made visible before it is printed', () => {
    const record = packetWith('info');
    record.events[0]!.func = 'ip\x1b[2Jrcv';
    expect(new RecordPrinter({}, true).text(structuredClone(record))).toContain('[ip\\x1b[2Jrcv');
  });
});

const DISTRIBUTION: Histogram = {
  v: 1,
  type: 'histogram',
  name: 'rtt',
  unit: 'us',
  t: 1,
  date: '2026-03-01T12:00:00.000100Z',
  total: 3,
  buckets: [
    { low: 0, high: 2, count: 1 },
    { low: 2, high: 4, count: 2 },
  ],
};

/** What is written to a terminal of so many columns when the distribution comes three times. */
function onTerminal(columns: number): string {
  const program = [
    `import { RecordPrinter } from '${ROOT}dist/commands/record-printer.js';`,
    'const printer = new RecordPrinter({});',
    `const record = ${JSON.stringify(DISTRIBUTION)};`,
    'for (let i = 0; i < 3; i++) process.stdout.write(printer.text(record));',
  ].join('\n');
  const command = `stty cols ${columns} && exec '${process.execPath}' --input-type=module -e "$PROGRAM"`;
  const { stdout } = spawnSync('script', ['-qec', command, '/dev/null'], {
    env: { ...process.env, PROGRAM: program },
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  return stdout.replaceAll('\r\n', '\n');
}

describe('a distribution that grows', () => {
  it('is drawn again in place in a terminal', (ctx) => {
    ctx.skip(spawnSync('script', ['--version']).status !== 0, 'script(1), which gives a terminal, is missing');
    const [first = '', ...again] = onTerminal(100).split('\x1b[3A\x1b[J');
    expect(first).toMatch(/^rtt distribution: +3\n( +\d - +\dus: \d +0\.\d{4} [\u2588-\u258f]+\n){2}$/);
    expect(again).toEqual([first, first]);
  });

  it('is so in a narrow one too, where lines go on in the next row', (ctx) => {
    ctx.skip(spawnSync('script', ['--version']).status !== 0, 'script(1), which gives a terminal, is missing');
    // each of the two lines of 49 columns takes two rows, and the head one
    expect(onTerminal(40).split('\x1b[5A\x1b[J')).toHaveLength(3);
  });

  it('is written one below the other elsewhere', () => {
    const printer = new RecordPrinter({ output: 'file' });
    const first = printer.text(DISTRIBUTION);
    expect(first).not.toContain('\x1b');
    expect(printer.text(DISTRIBUTION)).toBe(first);
  });
});
