import { mkdirSync, writeFileSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { describe, expect, it, vi } from 'vitest';
import { buildProgram, type Handlers } from '../../../src/commands/program.js';
import { PROBES } from '../../../src/generated/probes.js';
import { tracksOwner } from '../../../src/load/probe-definition.js';
import { FILTER_PROTOS } from '../../../src/protocols.js';
import { ROOT, run } from '../../support/command.js';
import { useFolder } from '../../support/folder.js';
import { hasProgram } from '../../support/shells.js';

vi.setConfig({ testTimeout: 60_000 });

const at = useFolder();
const program = buildProgram('1.2.3', {} as Handlers);
const COMMANDS = program.createHelp().visibleCommands(program);

function flagsOf(name: string): string[] {
  const command = COMMANDS.find((c) => c.name() === name) ?? program;
  const options = command.createHelp().visibleOptions(command);
  return options.flatMap((option) => [option.short, option.long]).filter((flag) => flag !== undefined);
}

/** What bash offers for the last of these words, as its own parser parted them. */
async function bash(...words: string[]): Promise<string[]> {
  const script = `source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _nettrace
    printf '%s\\n' "\${COMPREPLY[@]}"`;
  const completions = `${ROOT}completions/nettrace.bash`;
  const { code, stdout, stderr } = await run('bash', ['-c', script, 'bash', completions, 'nettrace', ...words]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return stdout.split('\n').filter(Boolean);
}

/** What fish offers for this line, without the descriptions. */
async function fish(line: string): Promise<string[]> {
  const script = 'source $argv[1]; complete -C $argv[2]';
  const { code, stdout, stderr } = await run('fish', [
    '--no-config',
    '-c',
    script,
    `${ROOT}completions/nettrace.fish`,
    line,
  ]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return stdout
    .split('\n')
    .filter(Boolean)
    .map((offer) => offer.split('\t')[0]!);
}

const PROTOS = [...FILTER_PROTOS];
const TRACEABLE = ['all', ...PROBES.filter((p) => !tracksOwner(p)).flatMap((p) => [p.name, p.stage, ...p.groups])];
const beginningWith = (start: string, words: readonly string[]) => [
  ...new Set(words.filter((word) => word.startsWith(start))),
];
const same = (offers: readonly string[], wanted: readonly string[]) =>
  expect([...offers].sort()).toEqual([...wanted].sort());

describe.skipIf(!hasProgram('bash'))('bash completes', () => {
  it.each(['nettrace', ...COMMANDS.map((c) => c.name())])('every option of %s', async (name) => {
    const words = name === 'nettrace' ? ['-'] : [name, '-'];
    same(await bash(...words), name === 'help' ? [] : flagsOf(name));
  });

  it('commands, behind options and their values too', async () => {
    const names = COMMANDS.map((c) => c.name());
    same(await bash(''), names);
    expect(await bash('-P', '8000', 'sh')).toEqual(['show']);
    expect(await bash('--comm', 'show', 'd')).toEqual(['diff', 'doctor']);
    expect(await bash('--comm', '=', 'show', 'd')).toEqual(['diff', 'doctor']);
    same(await bash('help', ''), names);
  });

  it('values that are one of a few', async () => {
    expect(await bash('-p', '')).toEqual(PROTOS);
    expect(await bash('--proto', '=')).toEqual(PROTOS);
    expect(await bash('show', '--proto', '=', 'ic')).toEqual(['icmp', 'icmpv6']);
    expect(await bash('--backend', 'k')).toEqual(['kprobe-multi', 'kprobe']);
    expect(await bash('--pid', '')).toEqual([]);
  });

  it.each(['-t', '--trace', '--trace-exclude', '--trace-matcher', '--trace-free', '--trace-stack'])(
    'groups and functions of %s, and the next of a list',
    async (option) => {
      same(await bash(option, 'ip_'), beginningWith('ip_', TRACEABLE));
      same(
        await bash(option, 'tcp,no_such,udp'),
        beginningWith('udp', TRACEABLE).map((word) => `tcp,no_such,${word}`),
      );
      expect(await bash(option, 'al')).toEqual(['all']);
    },
  );

  it('files', async () => {
    mkdirSync(at('folder'));
    for (const name of ['t1.ndjson', 't2 $(touch hacked).gz']) writeFileSync(at(name), '');
    const files = [at('t1.ndjson'), at('t2 $(touch hacked).gz')];
    for (const words of [['-o'], ['--output', '='], ['--btf-path'], ['show'], ['show', '-F'], ['diff', 'a']])
      same(await bash(...words, at('t')), files);
    expect(await bash('show', at('f'))).toEqual([at('folder')]);
  });

  it('interfaces', async () => {
    const names = await bash('--ifname', '');
    for (const name of Object.keys(networkInterfaces())) expect(names).toContain(name);
    expect(await bash('--ifname', 'no-such-')).toEqual([]);
  });

  it('names of this machine without running what is in them', async () => {
    for (const name of ['a$(touch hacked)', 'b c']) writeFileSync(at(name), '');
    const script = `source completions/nettrace.bash; _nettrace_names "" "$1"/*; printf '%s\\n' "\${COMPREPLY[@]}"`;
    const { stdout } = await run('bash', ['-c', script, 'bash', at()]);
    expect(stdout).toBe('a\\$\\(touch\\ hacked\\)\nb\\ c\n');
  });
});

describe.skipIf(!hasProgram('fish'))('fish completes', () => {
  it('options, commands and values', async () => {
    expect(await fish('nettrace --dr')).toEqual(['--drop', '--drop-all', '--drop-stack']);
    for (const name of COMMANDS.map((c) => c.name())) {
      const long = flagsOf(name).filter((flag) => flag.startsWith('--'));
      if (name !== 'help') same(await fish(`nettrace ${name} --`), long);
    }
    same(
      await fish('nettrace '),
      COMMANDS.map((c) => c.name()),
    );
    expect(await fish('nettrace -P 80 sh')).toEqual(['show']);
    same(await fish('nettrace -p '), PROTOS);
    expect(await fish('nettrace -t tcp,al')).toEqual(['tcp,all']);
    expect(await fish('nettrace show man/')).toEqual(['man/nettrace.1']);
    expect(await fish('nettrace --pid ')).toEqual([]);
    for (const name of Object.keys(networkInterfaces())) expect(await fish('nettrace --ifname ')).toContain(name);
  });

  it('without complaints about the file', async () => {
    expect(await run('fish', ['--no-execute', 'completions/nettrace.fish'])).toMatchObject({ code: 0, stderr: '' });
  });
});

describe.skipIf(!hasProgram('zsh'))('zsh completes', () => {
  /** What zsh offers for this line. */
  async function zsh(line: string): Promise<string[]> {
    const { code, stdout } = await run('zsh', ['-f', 'test/support/zsh-complete.zsh', `${ROOT}completions`, line]);
    expect(code).toBe(0);
    return stdout.split('\n').filter(Boolean);
  }

  it('options, commands and values', async () => {
    same(await zsh('nettrace --'), beginningWith('--', flagsOf('nettrace')));
    for (const name of COMMANDS.map((c) => c.name()))
      if (name !== 'help') same(await zsh(`nettrace ${name} --`), beginningWith('--', flagsOf(name)));
    expect(await zsh('nettrace -P 80 sh')).toEqual(['show']);
    same(await zsh('nettrace -p '), PROTOS);
    same(await zsh('nettrace -t tcp,ip_'), beginningWith('ip_', TRACEABLE));
    expect(await zsh('nettrace diff man/')).toEqual(['nettrace.1']);
    expect(await zsh('nettrace --pid ')).toEqual([]);
    for (const name of Object.keys(networkInterfaces())) expect(await zsh('nettrace --ifname ')).toContain(name);
  });

  it('without complaints about the file', async () => {
    expect(await run('zsh', ['-n', 'completions/_nettrace'])).toMatchObject({ code: 0, stderr: '' });
  });
});
