import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { Cli } from '../support/kernel-cli.js';
import { until, withTopology } from '../support/kernel-topology.js';

/** Functions and tracepoints, some with returns; all of them would take another half minute on some emulated kernels. */
const PROBES = 'life,tcp-in,net_dev_queue';

/** Ids of the BPF objects that a process holds: `prog_id` or `link_id`. */
function heldIds(pid: number, what: string): number[] {
  const folder = `/proc/${pid}/fdinfo`;
  const texts = readdirSync(folder).map((fd) => readFileSync(`${folder}/${fd}`, 'utf8'));
  return texts.flatMap((text) =>
    [...text.matchAll(new RegExp(`^${what}:\\s*(\\d+)$`, 'gm'))].map((match) => Number(match[1])),
  );
}

const LOOKS = 5;

/** bpftool fails where one that it comes to has just gone, whosever that was. */
function existingIds(kind: 'prog' | 'link'): Map<number, string> {
  for (let looks = 1; ; looks++) {
    const { status, stdout, stderr } = spawnSync('bpftool', ['-j', kind, 'list'], { encoding: 'utf8' });
    if (status === 0) {
      const list = JSON.parse(stdout) as { id: number; name?: string }[];
      return new Map(list.map(({ id, name }) => [id, name ?? '']));
    }
    if (looks === LOOKS) throw new Error(`bpftool ${kind} list: ${stderr || stdout}`);
  }
}

it.each(['SIGKILL', 'SIGINT'] as const)('%s leaves no program and no link behind', async (signal) => {
  await withTopology(async (net) => {
    const cli = await new Cli(['--json', '--addr', net.nets.join(','), '-t', PROBES]).ready();
    const programs = [...new Set(heldIds(cli.process.pid!, 'prog_id'))];
    const links = heldIds(cli.process.pid!, 'link_id');
    const before = existingIds('prog');
    expect(programs.length).toBeGreaterThan(0);
    expect(programs.map((id) => before.get(id))).toEqual(programs.map(() => expect.stringMatching(/^on_/)));
    cli.process.kill(signal);
    await cli.ended;
    // probes are detached one by one after the process has gone
    const someLeft = () => {
      const left = [existingIds('prog'), existingIds('link')];
      return [programs, links].some((ids, i) => ids.some((id) => left[i]!.has(id)));
    };
    // one by one: this process ended before the kernel was done, because another one has them
    const isSlow = programs.some((id) => /^on_(cookie|kprobe)/.test(before.get(id) ?? ''));
    if (signal === 'SIGINT' && isSlow) expect(someLeft()).toBe(true);
    await until('all programs and links are gone', () => !someLeft(), 90);
  });
});
