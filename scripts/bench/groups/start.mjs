// @ts-check
// From exec to `begin trace...`, and from Ctrl-C to the exit: by backend and number of probes, on an idle machine and beside a
// load that is traced.
import { setTimeout as sleep } from 'node:timers/promises';
import { nettrace } from '../tools.mjs';
import { progress } from '../workbench.mjs';

/**
 * `probes`: how many were attached. `error`: this kernel, or this program, cannot do it.
 * @typedef {{ tool: string, traffic: 'idle' | 'load', probes?: number, startMs?: number, stopMs?: number, error?: string }} StartRow
 */

const BACKENDS = ['kprobe-multi', 'kprobe', 'fentry', 'tracepoint'];
/** Attaching function by function takes most of a minute where it is emulated: no more runs behind so long a time. */
const BUDGET_MS = 20_000;
const START_LOAD_SECONDS = 180;
/** Who does not stop before the load ends is not waited for any longer: so many times that of other loads. */
const STOP_LOAD_SHARE = 10;
const TRACED_MS = 200;

/**
 * @param {import('../workbench.mjs').Workbench} bench
 * @param {(row: StartRow) => void} report
 */
export async function start(bench, report) {
  const { runs, few } = bench.settings;
  const versions = bench.versions.map(({ name, cli }) => nettrace(name, cli, ['-v'], true));
  const all = bench.nettrace(['-v', '-t', 'all'], true);
  const backends = BACKENDS.map((backend) => bench.nettrace(['-v', '--backend', backend], true));
  for (const tool of [...versions, all, ...backends].slice(0, few)) await repeat(bench, tool, 'idle', 2 * runs, report);
  for (const tool of [...versions, all].slice(0, few)) await repeat(bench, tool, 'load', runs, report);
}

/**
 * @param {import('../workbench.mjs').Workbench} bench
 * @param {import('../tools.mjs').Tool} tool
 * @param {'idle' | 'load'} traffic
 * @param {number} runs
 * @param {(row: StartRow) => void} report
 */
async function repeat(bench, tool, traffic, runs, report) {
  const name = tool.name.replace(' -v', '');
  const end = performance.now() + BUDGET_MS;
  for (let run = 0; run < runs && performance.now() < end; run++) {
    const row = await once(bench, tool, traffic).catch((error) => ({ error: String(error.message) }));
    report({ tool: name, traffic, ...row });
    if ('error' in row) {
      progress(`${name}: not here`);
      return;
    }
    progress(`${name}, ${traffic}: start ${row.startMs.toFixed(0)} ms, stop ${row.stopMs.toFixed(0)} ms`);
  }
}

/**
 * @param {import('../workbench.mjs').Workbench} bench
 * @param {import('../tools.mjs').Tool} tool
 * @param {'idle' | 'load'} traffic
 */
async function once(bench, tool, traffic) {
  /** @param {number} seconds */
  const load = (seconds) => (traffic === 'load' ? bench.playAside('pingpong', { seconds }) : undefined);
  const first = load(START_LOAD_SECONDS);
  const running = await bench.start(tool).finally(() => first?.stop());
  const second = load(STOP_LOAD_SHARE * bench.settings.seconds);
  try {
    const probes = running.attached().length;
    await sleep(TRACED_MS);
    const { stopMs } = await running.stop();
    return { startMs: running.startMs, stopMs, probes };
  } finally {
    running.kill();
    await second?.stop();
  }
}
