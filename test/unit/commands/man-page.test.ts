import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { roff } from '../../../scripts/generate/man.mjs';
import { EXAMPLES } from '../../../src/commands/help.js';
import { buildProgram, type Handlers } from '../../../src/commands/program.js';
import { ROOT, run } from '../../support/command.js';
import { hasProgram } from '../../support/shells.js';

const PAGE = `${ROOT}man/nettrace.1`;
const source = readFileSync(PAGE, 'utf8');
const escapeText = roff as (text: string) => string;
const program = buildProgram('1.2.3', {} as Handlers);

describe('man/nettrace.1', () => {
  it('has its sections in the usual order', () => {
    const titles = [...source.matchAll(/^\.SH (.*)$/gm)].map(([, title]) => title);
    expect(titles.join(', ')).toBe(
      'NAME, SYNOPSIS, DESCRIPTION, OPTIONS, COMMANDS, EXIT STATUS, ENVIRONMENT, FILES, EXAMPLES, SEE ALSO',
    );
  });

  it.each([program, ...program.commands].map((command) => [command.name(), command] as const))(
    'has every option of %s',
    (name, command) => {
      const [, section = ''] =
        command === program
          ? (/^\.SH OPTIONS\n(.*?)^\.SH/ms.exec(source) ?? [])
          : (new RegExp(`^\\.SS "nettrace ${name} (.*?)^\\.S[SH]`, 'ms').exec(source) ?? []);
      for (const option of command.createHelp().visibleOptions(command)) {
        for (const flag of [option.short, option.long]) {
          if (flag) expect(section).toContain(`\\fB${escapeText(flag)}\\fR`);
        }
      }
    },
  );

  it('shows the examples of the help', () => {
    for (const { command } of Object.values(EXAMPLES).flat()) expect(source).toContain(`\n${escapeText(command)}\n`);
  });

  it.skipIf(!hasProgram('groff'))('is taken by groff without a warning', async () => {
    expect(await run('groff', ['-man', '-ww', '-z', '-Tutf8', PAGE])).toMatchObject({
      code: 0,
      stdout: '',
      stderr: '',
    });
  });

  it.skipIf(!hasProgram('mandoc'))('is taken by mandoc', async () => {
    const { stdout, stderr } = await run('mandoc', ['-Tlint', PAGE]);
    const said = (stdout + stderr).split('\n').filter(Boolean);
    // a date would change with each day that it is made
    expect(said.filter((line) => !line.includes('missing date'))).toEqual([]);
  });
});

describe('text in roff', () => {
  const HOSTILE = [
    '.SH NOT A SECTION',
    "'br",
    '\\fBbold\\fR \\n(.w',
    '-a --b',
    '"quoted" \'too\'',
    '`^~',
    'a\n.br\nb',
    '...',
  ];

  it('never is a request nor an escape', () => {
    for (const text of HOSTILE) {
      const escaped = escapeText(text);
      expect(escaped).not.toMatch(/^[.']/m);
      expect(escaped.replace(/\\(?:[-e&]|\((?:aq|dq|ga|ha|ti))/g, '')).not.toMatch(/\\/);
    }
  });

  it.skipIf(!hasProgram('mandoc'))('is shown as it is', async () => {
    const page = `.TH T 1 "" ""\n.SH NAME\n${HOSTILE.map((text) => `.PP\n${escapeText(text)}`).join('\n')}\n`;
    const { stdout } = await run('sh', ['-c', 'printf %s "$1" | mandoc -Tascii | col -b', 'sh', page]);
    const lines = stdout.split('\n').map((line) => line.trim());
    for (const text of HOSTILE) expect(lines).toContain(text.replaceAll('\n', ' '));
  });
});
