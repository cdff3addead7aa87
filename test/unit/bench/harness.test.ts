import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { useFolder } from '../../support/folder.js';
import { hasProgram } from '../../support/shells.js';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const missing = [
  process.getuid?.() === 0 ? undefined : 'only root can trace',
  existsSync(join(root, 'dist/cli.js')) ? undefined : 'dist/cli.js is missing (make build)',
  ...['load', 'count-records'].map((name) =>
    existsSync(join(root, 'build/bench', name))
      ? undefined
      : `build/bench/${name} is missing (make build/bench/${name})`,
  ),
  ...['ip', 'bpftool'].map((name) => (hasProgram(name) ? undefined : `${name} is missing`)),
].find((reason) => reason !== undefined);

const GROUPS = ['cost', 'events', 'start', 'memory', 'growth', 'show'];
/** As little as a run can be. */
const SHORT = ['--seconds', '0.05', '--runs', '1', '--kinds', 'pingpong', '--flows', '1', '--steps', '1'];
const FEW = ['--show-mb', '1', '--few', '1', '--consumers', 'C that counts'];

describe('the benchmark', () => {
  const place = useFolder();

  it('measures each group, and makes a page of the numbers', { timeout: 120_000 }, (ctx) => {
    ctx.skip(missing !== undefined, missing);
    const { status, stderr } = spawnSync(
      process.execPath,
      ['scripts/bench/bench.mjs', '--results', place('host.json'), ...SHORT, ...FEW],
      { cwd: root, encoding: 'utf8' },
    );
    expect(status, stderr).toBe(0);
    const { groups } = JSON.parse(readFileSync(place('host.json'), 'utf8'));
    expect(Object.keys(groups)).toEqual(GROUPS);
    for (const name of GROUPS) expect([name, groups[name].error]).toEqual([name, undefined]);
    for (const name of GROUPS) expect(groups[name].rows.length, name).toBeGreaterThan(0);
    const [events] = groups.events.rows;
    expect(events.delivered).toBeGreaterThan(0);
    expect(events.readerNs).toBeGreaterThan(0);
    execFileSync(process.execPath, ['scripts/bench/report.mjs', place('page.md'), place(), place('host.json')], {
      cwd: root,
    });
    const page = readFileSync(place('page.md'), 'utf8');
    for (const [, picture = ''] of page.matchAll(/!\[.*\]\((.*)\)/g)) expect(existsSync(place(picture))).toBe(true);
    expect(page).not.toMatch(/NaN|undefined/);
  });
});
