// @ts-check
// Resident memory: at rest, at full rate, after many short connections, and with many traces open.
import { setTimeout as sleep } from 'node:timers/promises';
import { memoryKb, untilIdle } from '../processes.mjs';
import { progress } from '../workbench.mjs';

/**
 * `residentKb`: when all had been consumed, or while the traces were open. `peakKb`: the most so far.
 * `operations`: connections, datagrams or open traces.
 * @typedef {{ what: string, residentKb: number, peakKb: number, operations: number }} MemoryRow
 */

/** @typedef {import('../workbench.mjs').Workbench} Workbench */

/** Traces are closed by age only after the measurement. */
const AGE_MS = 3_600_000;
/** Share of a load's time after which what it holds is all there. */
const HELD_SHARE = 0.75;

/** @param {Workbench} bench @param {(row: MemoryRow) => void} report */
export async function memory(bench, report) {
  /** @param {MemoryRow} row */
  const say = (row) => {
    report(row);
    progress(`${row.what}: ${(row.residentKb / 1024).toFixed(0)} MiB, at most ${(row.peakKb / 1024).toFixed(0)}`);
  };
  const cases = [
    () => withOpenTraces(bench),
    () => underLoad(bench, 'at rest', undefined),
    () => underLoad(bench, 'full rate, datagrams', 'udp'),
    () => underLoad(bench, 'short connections', 'connect'),
  ];
  for (const measure of cases.slice(0, bench.settings.few)) say(await measure());
}

/** @param {number} pid */
const sizes = (pid) => ({ residentKb: memoryKb(pid, 'VmRSS'), peakKb: memoryKb(pid, 'VmHWM') });

/** @param {Workbench} bench @param {string} what @param {string | undefined} kind @returns {Promise<MemoryRow>} */
async function underLoad(bench, what, kind) {
  const running = await bench.start(bench.nettrace());
  try {
    await untilIdle(running.pid);
    const operations = kind ? bench.play(kind, { seconds: 2 * bench.settings.seconds }).operations : 0;
    await untilIdle(running.pid);
    const row = { what, ...sizes(running.pid), operations };
    await running.stop();
    return row;
  } finally {
    running.kill();
  }
}

/** A consumer of the library, and a socket whose datagrams nobody receives. @param {Workbench} bench @returns {Promise<MemoryRow>} */
async function withOpenTraces(bench) {
  const script = new URL('../library-consumer.mjs', import.meta.url).pathname;
  const running = await bench.start({
    name: 'library',
    words: (ports) => [process.execPath, script, bench.dist, ports, String(AGE_MS)],
    ready: /begin trace\.\.\./,
    linePattern: /^x/,
  });
  try {
    await untilIdle(running.pid);
    const seconds = 2 * bench.settings.seconds;
    const load = bench.playAside('hold', { seconds });
    await sleep(HELD_SHARE * seconds * 1000);
    const row = { what: 'open traces', ...sizes(running.pid) };
    const ended = await load.ended;
    await running.stop();
    return { ...row, operations: ended?.operations ?? 0 };
  } finally {
    running.kill();
  }
}
