import { spawnSync } from 'node:child_process';
import { expect, it } from 'vitest';
import { Command, isAlive } from '../support/kernel-command.js';
import { until, withTopology } from '../support/kernel-topology.js';

interface BpfProgram {
  id: number;
  name?: string;
  pids?: { pid: number }[];
}

/** Ids of the programs that this process holds, by its descriptors. */
function programsOf(pid: number): number[] {
  const script = `for f in /proc/${pid}/fdinfo/*; do sed -n 's/^prog_id:[[:space:]]*//p' $f 2>/dev/null; done`;
  const { stdout } = spawnSync('sh', ['-c', script], { encoding: 'utf8' });
  return [...new Set(stdout.split('\n').filter(Boolean).map(Number))];
}

function listed(what: 'prog' | 'link'): Set<number> {
  const { stdout, status, stderr } = spawnSync('bpftool', ['-j', what, 'list'], { encoding: 'utf8' });
  if (status !== 0) throw new Error(`bpftool: ${stderr}`);
  const parsed = JSON.parse(stdout) as { id?: number; prog_id?: number }[];
  return new Set(parsed.map((p: { id?: number; prog_id?: number } & Partial<BpfProgram>) => (what === 'prog' ? p.id : p.prog_id) ?? 0));
}

it('SIGKILL leaves no program and no link behind', async () => {
  await withTopology(async (net) => {
    net.add('a');
    const command = new Command(['--addr', net.nets[0] ?? '', '-t', 'tcp_v4_rcv,ip_rcv,netif_receive_skb']);
    await command.begun();
    const own = programsOf(command.pid);
    expect(own.length).toBeGreaterThan(0);
    expect(own.filter((id) => listed('prog').has(id))).toEqual(own);
    command.child.kill('SIGKILL');
    expect((await command.ended).signal).toBe('SIGKILL');
    await until('the process is gone', () => !isAlive(command.pid), 60);
    await until('programs and links are gone', () => {
      const [programs, links] = [listed('prog'), listed('link')];
      return own.every((id) => !programs.has(id) && !links.has(id));
    }, 60);
  });
});
