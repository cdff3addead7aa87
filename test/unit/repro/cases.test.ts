import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { type AnyCase, checkCase } from '../../../src/repro/case.js';
import { ROOT } from '../../support/command.js';

const folder = `${ROOT}src/repro/cases`;
const names = readdirSync(folder).map((file) => file.replace(/\.ts$/, ''));
const docs = existsSync(`${ROOT}docs/cases.md`) ? readFileSync(`${ROOT}docs/cases.md`, 'utf8') : '';

/** What docs/cases.md says of a case. */
function sectionOf(name: string): string | undefined {
  const [, text] = docs.split(`\n### ${name}\n`);
  return text?.split(/\n##/)[0];
}

describe.each(names)('the case %s', (name) => {
  it('has the name of its file, and all that is told of it', async () => {
    const { default: one } = (await import(`${folder}/${name}.ts`)) as { default: AnyCase };
    expect(() => checkCase(one)).not.toThrow();
    expect(one.name).toBe(name);
    // it is shown in a list
    expect(one.title).not.toMatch(/[.\n]$/);
    expect(one.description.length).toBeGreaterThan(one.title.length);
    expect(one.expectations).toBeDefined();
  });

  it('is in docs/cases.md, as it was recorded', () => {
    const section = sectionOf(name);
    expect(section, 'make docs-cases').toBeDefined();
    // here no packet is ever made
    if (name === 'no-route') expect(section).toMatch(/ENETUNREACH[\s\S]*\n1\. the sender connects\n/);
    else expect(section).toMatch(/\n\*{17} [0-9a-f,]+ \*{15}\n\[\d+\.\d{6}\] |Not recorded here: /);
  });
});

it('docs/cases.md shows of each packet how it ended', () => {
  const packets = docs.split(/\n\n|```/).filter((block) => /^\s*\*{17} /.test(block));
  expect(packets.length).toBeGreaterThan(names.length);
  expect(packets.filter((block) => !/^verdict: /m.test(block))).toEqual([]);
});

it('docs/cases.md has no case that is not there', () => {
  const told = [...docs.matchAll(/^### (\S+)$/gm)].map(([, name]) => name);
  expect(told.filter((name) => !names.includes(name ?? ''))).toEqual([]);
});
