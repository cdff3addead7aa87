// @ts-check
// How the cost grows with the number of probes, and with the number of flows.
import { progress } from '../workbench.mjs';

/**
 * `share`: of the packet rate untraced, measured before any start: behind a stop the kernel still cleans up.
 * @typedef {{ by: 'probes' | 'flows', count: number, traffic: 'unmatched' | 'matched', share: number, bpfNsPerPacket: number,
 *   bpfRunsPerPacket: number }} GrowthRow
 */

/** @typedef {import('../workbench.mjs').Workbench} Workbench */

const KIND = 'pingpong';
const FLOWS = [1, 2, 8, 32];
/** Every so manyth of the default set's probes. */
const EVERY = [8, 4, 2];

/** @param {Workbench} bench @param {(row: GrowthRow) => void} report */
export async function growth(bench, report) {
  const { names, untraced } = await byFlows(bench, report);
  const subsets = EVERY.map((every) => names.filter((_, i) => i % every === 0));
  const cases = [...subsets.map((subset) => ['-t', subset.join(',')]), [], ['-t', 'all']];
  for (const options of cases.slice(0, bench.settings.few)) {
    const running = await bench.start(bench.nettrace(['-v', ...options]));
    try {
      measure(bench, running, { by: 'probes', count: running.attached().length, flows: 1, untraced }, report);
      await running.stop();
    } finally {
      running.kill();
    }
  }
}

/** Returns the default set's probes, and the packet rate of one flow untraced. @param {Workbench} bench @param {(row: GrowthRow) => void} report */
async function byFlows(bench, report) {
  const numbers = FLOWS.slice(0, bench.settings.few);
  const untraced = numbers.map((flows) => bench.play(KIND, { flows }).packetRate);
  const running = await bench.startForFlows(bench.nettrace(['-v']), Math.max(...FLOWS));
  try {
    const names = running.attached();
    for (const [i, flows] of numbers.entries())
      measure(bench, running, { by: 'flows', count: flows, flows, untraced: untraced[i] ?? 0 }, report);
    await running.stop();
    return { names, untraced: untraced[0] ?? 0 };
  } finally {
    running.kill();
  }
}

/**
 * @param {Workbench} bench
 * @param {import('../tools.mjs').Running} running
 * @param {{ by: GrowthRow['by'], count: number, flows: number, untraced: number }} what
 * @param {(row: GrowthRow) => void} report
 */
function measure(bench, { pid }, { by, count, flows, untraced }, report) {
  for (const traffic of /** @type {const} */ (['unmatched', 'matched'])) {
    const { packetRate } = bench.play(KIND, { ports: traffic, flows });
    const { bpfNsPerPacket, bpfRunsPerPacket } = bench.playCounted(pid, KIND, { ports: traffic, flows });
    report({ by, count, traffic, share: packetRate / untraced, bpfNsPerPacket, bpfRunsPerPacket });
    progress(
      `${count} ${by}, ${traffic}: ${(packetRate / untraced).toFixed(2)}, BPF ${bpfNsPerPacket.toFixed(0)} ns a packet`,
    );
  }
}
