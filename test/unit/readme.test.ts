import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { buildProgram, type Handlers } from '../../src/commands/program.js';

const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');

describe('README.md', () => {
  it('quotes the example that the tests run', () => {
    const [, quoted] = /```js\n(.*?)```/s.exec(read('README.md')) ?? [];
    expect(quoted).toBe(read('docs/example.mjs'));
  });

  it('names only options and commands that are there', () => {
    const program = buildProgram('1.2.3', {} as Handlers);
    const flags = [program, ...program.commands].flatMap((command) =>
      command
        .createHelp()
        .visibleOptions(command)
        .map((option) => option.long),
    );
    // of docker
    const others = ['--cap-add'];
    const text = read('README.md');
    const named = [...text.matchAll(/`(?:nettrace [^`]*)?(--[a-z-]+)/g)].map(([, flag]) => flag);
    const shown = [...text.matchAll(/^ {4}nettrace .*$/gm)].flatMap(([line]) => line.match(/ --[a-z-]+/g) ?? []);
    const all = [...named, ...shown.map((flag) => flag.trim())];
    expect(all.length).toBeGreaterThan(30);
    expect(all.filter((flag) => ![...flags, ...others].includes(flag))).toEqual([]);
    const commands = [...text.matchAll(/`nettrace ([a-z]+)/g)].map(([, name]) => name ?? '');
    const known = ['help', ...program.commands.map((command) => command.name())];
    expect(commands.filter((name) => !known.includes(name))).toEqual([]);
  });
});
