import { writeFileSync } from 'node:fs';
import { describe, expect, it, vi } from 'vitest';
import type { TraceDiff } from '../../../src/diff-types.js';
import { jsonLine } from '../../../src/sinks/json.js';
import { nettrace } from '../../support/command.js';
import { useFolder } from '../../support/folder.js';
import { skbTrace, traceEvent } from '../../support/traces.js';

// each test starts Node anew
vi.setConfig({ testTimeout: 60_000 });

const at = useFolder();

/** A file with one trace of these functions and this port. */
function file(name: string, ways: readonly string[], dport = 8000): string {
  const tuple = { saddr: '10.0.0.1', sport: 40000, daddr: '10.0.0.2', dport };
  const lines = ways.map((way, i) =>
    jsonLine(skbTrace({ id: `${i}`, tuple, events: way.split(' ').map((func) => traceEvent({ func })) })),
  );
  writeFileSync(at(name), lines.join(''));
  return at(name);
}

describe('nettrace diff', () => {
  it('of the same way ends with 0', async () => {
    const { code, stdout, stderr } = await nettrace('diff', file('a', ['x y']), file('b', ['x y']));
    expect(stdout).toContain('the same way, all 2 functions:\n  x y\n');
    expect(stderr).toBe('');
    expect(code).toBe(0);
  });

  it('of different ways shows where they part, plainly, and ends with 1', async () => {
    const { code, stdout, stderr } = await nettrace('diff', file('a', ['x y']), file('b', ['x z']));
    expect(stdout).toContain('then:\n  GOOD     BAD\n  y     <\n        >  z\n');
    expect(stdout).not.toContain('\x1b');
    expect(stderr).toBe('');
    expect(code).toBe(1);
  });

  it('--json gives it to scripts', async () => {
    const { code, stdout } = await nettrace('diff', '--json', file('a', ['x y', 'x']), file('b', ['x z']));
    const diff = JSON.parse(stdout) as TraceDiff;
    expect(diff).toMatchObject({
      v: 1,
      type: 'diff',
      same: false,
      good: { file: at('a'), traces: 2 },
      bad: { traces: 1 },
    });
    expect(stdout.trimEnd()).not.toContain('\n');
    expect(code).toBe(1);
  });

  it.each([
    [['missing'], "cannot read 'missing': there is no such file"],
    [[], "missing required argument 'bad'"],
    [['-P', '443', '/dev/null'], 'has no trace that can be compared'],
    [['--follow', '/dev/null'], "unknown option '--follow'"],
  ])('of what cannot be compared (%j) ends with 2', async (words, message) => {
    const { code, stdout, stderr } = await nettrace('diff', file('a', ['x']), ...words);
    expect(stderr).toContain(message);
    expect(stdout).toBe('');
    expect(code).toBe(2);
  });

  it('compares what its filters let through', async () => {
    const a = file('a', ['x y'], 443);
    const b = file('b', ['x z'], 443);
    const { code, stderr } = await nettrace('diff', a, b, '-P', '8000');
    expect(stderr).toContain(`'${a}' has no trace that can be compared`);
    expect(code).toBe(2);
    expect((await nettrace('diff', a, b, '-P', '443')).code).toBe(1);
  });
});
