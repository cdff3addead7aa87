import type { Command } from 'commander';
import { describe, expect, it, vi } from 'vitest';
import { buildProgram, type Handlers } from '../../../src/commands/program.js';
import { type TraceCommandOptions, toTraceOptions } from '../../../src/commands/trace.js';
import { nettrace } from '../../support/command.js';
import { CASES, COMBINATIONS, COMMAND_CASES, type OptionCase } from './program-cases.js';

// each test of the command line starts Node anew
vi.setConfig({ testTimeout: 60_000 });

/** What each command's arguments are in these tests. */
const ARGUMENTS: Readonly<Record<string, string[]>> = {
  show: ['t.ndjson'],
  diff: ['a.ndjson', 'b.ndjson'],
  repro: ['tcp-no-listener'],
};

/** What the command would have been called with. */
async function parse(words: readonly string[]): Promise<unknown[]> {
  let call: unknown[] = [];
  const note =
    (name: string) =>
    async (...values: unknown[]) => {
      call = [name, ...values];
    };
  const names = ['trace', 'show', 'diff', 'connections', 'doctor', 'probes', 'repro'];
  const handlers = Object.fromEntries(names.map((name) => [name, note(name)])) as unknown as Handlers;
  await buildProgram('1.2.3', handlers).parseAsync([...words], { from: 'user' });
  return call;
}

const program = buildProgram('1.2.3', {} as Handlers);
const helpOf = (command: Command) => command.createHelp();

function caseOf(command: string, long: string): OptionCase | undefined {
  return COMMAND_CASES[`${command} ${long}`] ?? CASES[long] ?? COMMAND_CASES[long];
}

/** Every option of every command as its help shows it. */
const OPTIONS = [program, ...program.commands].flatMap((command) =>
  helpOf(command)
    .visibleOptions(command)
    .map((option) => ({
      command: command === program ? 'trace' : command.name(),
      long: option.long ?? option.flags,
      short: option.short,
    })),
);

describe('the options', () => {
  it('are all tried here', () => {
    expect(OPTIONS.filter(({ command, long }) => !caseOf(command, long))).toEqual([]);
    const known = new Set(OPTIONS.flatMap(({ command, long }) => [long, `${command} ${long}`]));
    expect([...Object.keys(CASES), ...Object.keys(COMMAND_CASES)].filter((long) => !known.has(long))).toEqual([]);
  });

  it.each(OPTIONS)('$command $long reaches the command', async ({ command, long, short }) => {
    const { words, options, prints } = caseOf(command, long)!;
    if (options && short) expect(words.some((word) => word.startsWith(short))).toBe(true);
    expect(words.some((word) => word === long || word.startsWith(`${long}=`)) || Boolean(short)).toBe(true);
    const before = command === 'trace' ? [] : [command, ...(ARGUMENTS[command] ?? [])];
    if (prints) {
      const { code, stdout, stderr } = await nettrace(...before, ...words);
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
      expect(stdout).toMatch(prints);
      return;
    }
    const called = await parse([...before, ...words]);
    expect(called[0]).toBe(command);
    expect(called.at(-1)).toEqual(options);
  });

  it.each(Object.entries(CASES).filter(([, { options }]) => options))(
    '%s tells the library what it must know',
    (_, { options, trace }) => {
      const { mode, detail, ...rest } = toTraceOptions(options as TraceCommandOptions);
      const { mode: wantedMode = 'life', detail: wantedDetail, ...wanted } = trace ?? {};
      expect(rest).toEqual(wanted);
      expect(mode).toBe(wantedMode);
      // owners stand in the lines of these modes, and findings have values of the packet's network namespace
      const isRead = mode === 'drop' || mode === 'sock' || 'diag' in (options ?? {});
      expect(detail).toBe(wantedDetail ?? isRead);
    },
  );

  it('take an expression of several words beside them', async () => {
    expect(await parse(['-c', '1', 'tcp', 'port', '80'])).toEqual(['trace', { count: 1, expression: 'tcp port 80' }]);
    expect(await parse(["tcp port 80 and host '::1'", '-c', '1'])).toEqual([
      'trace',
      { count: 1, expression: "tcp port 80 and host '::1'" },
    ]);
  });

  it('may stand before a command that has them too', async () => {
    expect(await parse(['--json', '-P', '80', 'show', 'f', '-P', '90'])).toEqual([
      'show',
      ['f'],
      { json: true, port: ['90'] },
    ]);
    expect(await parse(['--json', 'doctor'])).toEqual(['doctor', { json: true }]);
  });
});

describe('abbreviations', () => {
  it.each<[string[], unknown[]]>([
    [
      ['--min-lat', '10', '--det'],
      ['trace', { minLatency: 10, detail: true }],
    ],
    [
      ['--min-lat=10', 'tcp', '--det'],
      ['trace', { minLatency: 10, detail: true, expression: 'tcp' }],
    ],
    // exact names win
    [
      ['--filter', 'tcp'],
      ['trace', { filter: 'tcp' }],
    ],
    [
      ['--trace', '--trace-f'],
      ['trace', { trace: ['--trace-f'] }],
    ],
    // values, words and what follows -- stay
    [
      ['--filter-me', '--det', '--js'],
      ['trace', { filterMeta: '--det', json: true }],
    ],
    [
      ['-P', '--det'],
      ['trace', { port: ['--det'] }],
    ],
    [
      ['-vP', '--det'],
      ['trace', { verbose: true, port: ['--det'] }],
    ],
    [
      ['-P80', '--det'],
      ['trace', { port: ['80'], detail: true }],
    ],
    [
      ['--comm=--det', '--', '--det'],
      ['trace', { comm: '--det', expression: '--det' }],
    ],
    // each command has its own
    [
      ['--js', 'show', 't.ndjson', '--fol', '--dat'],
      ['show', ['t.ndjson'], { json: true, follow: true, date: true }],
    ],
    [
      ['diff', 'a', 'b', '--js'],
      ['diff', 'a', 'b', { json: true }],
    ],
    [
      ['connections', '--li'],
      ['connections', { listen: true }],
    ],
    [
      ['repro', 'list', '--js', '--rep', '3'],
      ['repro', ['list'], { json: true, repeat: 3 }],
    ],
  ])('%j: %j', async (words, called) => {
    expect(await parse(words)).toEqual(called);
  });

  it.each([
    [['--tr', 'x'], '--tr', '--trace, --trace-exclude, --trace-matcher, --trace-free, --trace-stack, --trace-noclone'],
    [['--ver'], '--ver', '--verbose, --version'],
    [['show', 't.ndjson', '--dat', '--di=1'], '--di', '--diag, --diag-keep, --diag-quiet'],
  ])('%j end with exit code 2', async (words, name, candidates) => {
    const { code, stdout, stderr } = await nettrace(...words);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toBe(`nettrace: option '${name}' is ambiguous\n  it may be ${candidates}\n`);
  });

  it('of help show it', async () => {
    const { code, stdout } = await nettrace('show', '--he');
    expect({ code, isHelp: stdout.startsWith('Usage: nettrace show') }).toEqual({ code: 0, isHelp: true });
  });
});

const REFUSED = Object.values({ ...CASES, ...COMMAND_CASES }).flatMap(({ refused = [] }) => refused);

describe('values that make no sense', () => {
  it.each(REFUSED)('%j end with exit code 2 and say why', async (words, message) => {
    const { code, stdout, stderr } = await nettrace(...words);
    const [first = ''] = stderr.split('\n');
    if (typeof message === 'string') expect(first).toBe(`nettrace: ${message}`);
    else expect(first.replace('nettrace: ', '')).toMatch(message);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  });
});

describe('options that make no sense together', () => {
  it.each(COMBINATIONS)('nettrace %s: exit code 2', async (words, message) => {
    const { code, stdout, stderr } = await nettrace(...words.split(' '));
    expect(stderr.split('\n')[0]).toBe(`nettrace: ${message}`);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  });
});
