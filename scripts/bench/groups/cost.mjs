// @ts-check
// What tracing costs the traffic: each load untraced, traced with a filter that does not let it through, and traced.
import { memoryKb } from '../processes.mjs';
import { nettrace, peers } from '../tools.mjs';
import { progress } from '../workbench.mjs';

/**
 * One run of a load. `bpf...`: of the tool's programs, in a run of its own. Behind the matched traffic also what both of its
 * runs left, and the whole process's start, end and largest memory.
 * @typedef {{ tool: string, kind: string, traffic: 'untraced' | 'unmatched' | 'matched', rate: number, packetRate: number,
 *   bpfNsEach?: number, bpfNsPerPacket?: number, bpfRunsPerPacket?: number, lines?: number, lost?: number | undefined,
 *   startMs?: number, stopMs?: number, peakKb?: number }} CostRow
 */

/**
 * Runs of all tools take turns, so that what the machine does meanwhile meets them all.
 * @param {import('../workbench.mjs').Workbench} bench
 * @param {(row: CostRow) => void} report
 */
export async function cost(bench, report) {
  const { backends, runs, kinds } = bench.settings;
  const tools = [
    ...bench.versions.map(({ name, cli }) => nettrace(name, cli)),
    ...backends.map((backend) => bench.nettrace(['--backend', backend])),
    ...peers(),
  ];
  for (let run = 0; run < runs; run++) {
    for (const kind of kinds) {
      const { rate, packetRate } = bench.play(kind);
      report({ tool: 'none', kind, traffic: 'untraced', rate, packetRate });
      for (const tool of tools) await measure(bench, tool, kind, report);
    }
  }
}

/**
 * @param {import('../workbench.mjs').Workbench} bench
 * @param {import('../tools.mjs').Tool} tool
 * @param {string} kind
 * @param {(row: CostRow) => void} report
 */
async function measure(bench, tool, kind, report) {
  const running = await bench.start(tool);
  try {
    /** @param {'unmatched' | 'matched'} ports */
    const play = (ports) => {
      const { rate, packetRate } = bench.play(kind, { ports });
      return {
        tool: tool.name,
        kind,
        traffic: ports,
        rate,
        packetRate,
        ...bench.playCounted(running.pid, kind, { ports }),
      };
    };
    report(play('unmatched'));
    const row = play('matched');
    const peakKb = memoryKb(running.pid, 'VmHWM');
    const { stopMs, lines, lost } = await running.stop();
    report({ ...row, lines, lost, startMs: running.startMs, stopMs, peakKb });
    progress(`${kind}, ${tool.name}: ${row.rate.toFixed(0)}/s, BPF ${row.bpfNsPerPacket.toFixed(0)} ns a packet`);
  } finally {
    running.kill();
  }
}
