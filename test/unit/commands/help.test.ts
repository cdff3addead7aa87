import { describe, expect, it } from 'vitest';
import { EXAMPLES } from '../../../src/commands/help.js';
import { buildProgram, type Handlers } from '../../../src/commands/program.js';
import { type TraceCommandOptions, toTraceOptions } from '../../../src/commands/trace.js';
import { parseFilter } from '../../../src/options.js';
import { nettrace } from '../../support/command.js';

const COMMANDS = ['show', 'diff', 'doctor', 'probes', 'help'];

/** The help as a terminal of so many columns gets it; 0: no terminal. */
function helpAt(columns: number, name?: string): string {
  const before = Object.getOwnPropertyDescriptor(process.stdout, 'columns');
  Object.defineProperty(process.stdout, 'columns', { value: columns, configurable: true });
  try {
    const program = buildProgram('1.2.3', {} as Handlers);
    const command = name
      ? program
          .createHelp()
          .visibleCommands(program)
          .find((c) => c.name() === name)!
      : program;
    let text = '';
    command.configureOutput({
      writeOut: (part) => {
        text += part;
      },
    });
    command.outputHelp();
    return text;
  } finally {
    if (before) Object.defineProperty(process.stdout, 'columns', before);
    else Reflect.deleteProperty(process.stdout, 'columns');
  }
}

const longest = (text: string) => Math.max(...text.split('\n').map((line) => line.length));

describe('the help', () => {
  it.each([undefined, ...COMMANDS])('of %s fits its terminal, and is never wider than 100 columns', (name) => {
    expect(longest(helpAt(0, name))).toBeLessThanOrEqual(100);
    expect(helpAt(250, name)).toBe(helpAt(0, name));
    for (const columns of [99, 80, 73, 72, 71, 60]) expect(longest(helpAt(columns, name))).toBeLessThanOrEqual(columns);
  });

  it('has each option on one line where there is room, but for the names of protocols', () => {
    const [, options = ''] = /\n\n(Which packets.*)\n\nCommands:/s.exec(helpAt(100)) ?? [];
    const others = options.replace(/(--proto <proto> .*)(\n {34}.*){2}/, '$1');
    for (const line of others.split('\n')) expect(line).toMatch(/^($|\S.*:$| {2}(-\w, | {4})--\S)/);
  });

  it('has descriptions below their options where there is little room', () => {
    expect(helpAt(60)).toContain('\n      --drop\n        dropped packets, with reason and place\n');
  });

  it('has the groups in the order in which they are needed', () => {
    const titles = [...helpAt(100).matchAll(/^(\w[\w ]*)[^\n]*:$/gm)].map(([, title]) => title?.trim());
    expect(titles).toEqual([
      'Arguments',
      'Which packets',
      'What is reported',
      'With some of them',
      'Where',
      'Findings',
      'Output',
      'How it runs',
      'Help',
      'Commands',
      'Examples',
    ]);
  });

  it('of a command is what `nettrace help COMMAND` and -h say', async () => {
    const [asked, option] = [await nettrace('help', 'diff'), await nettrace('diff', '-h')];
    expect(asked).toEqual({ code: 0, signal: null, stdout: helpAt(0, 'diff'), stderr: '' });
    expect(option).toEqual(asked);
  }, 60_000);

  it('of a command that is not there ends with exit code 2', async () => {
    const { code, stdout, stderr } = await nettrace('help', 'no-such-command');
    expect(stderr).toBe("nettrace: unknown command 'no-such-command'\n  nettrace -h lists the commands\n");
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  }, 60_000);
});

/** The words of a line of the shell, as far as the examples need it: blanks and single quotes. */
function wordsOf(line: string): string[] {
  return [...line.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain ?? '');
}

describe('the examples', () => {
  it.each(Object.values(EXAMPLES).flatMap((list) => list.map(({ command }) => command)))(
    '%s is taken by the command line',
    async (line) => {
      const [, words = ''] = /(?:^|\| )nettrace (.*)$/.exec(line) ?? [];
      let asked: TraceCommandOptions | undefined;
      const done = async () => {
        asked = {};
      };
      const trace = async (options: TraceCommandOptions) => {
        parseFilter(toTraceOptions(options));
        asked = options;
      };
      const handlers: Handlers = {
        trace,
        show: done,
        diff: done,
        connections: done,
        doctor: done,
        probes: done,
        repro: done,
      };
      await buildProgram('1.2.3', handlers).parseAsync(wordsOf(words), { from: 'user' });
      expect(asked).toBeDefined();
    },
  );
});
