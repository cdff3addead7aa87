// @ts-check
// How many records a second reach whoever wants them, from the ring buffer to text, JSON and the library's consumer, and what
// each stage takes. Beside them a C program that counts the records: what the machine and this load allow.
import { existsSync, truncateSync } from 'node:fs';
import { recordCounters } from '../bpf.mjs';
import { cpuTimes, readerThread, untilIdle } from '../processes.mjs';
import { nettrace } from '../tools.mjs';
import { progress } from '../workbench.mjs';

/**
 * `offered`: records a second that the kernel side had, without a limit of the traffic. `delivered`: of these, until all that
 * was kept had been consumed. `lost`: the share that was not kept. `lossless`: records a second at the highest rate of the traffic
 * that lost none, or undefined where also the lowest that was tried did. At that rate: nanoseconds of CPU for each record,
 * and the longest stall of the main thread.
 * @typedef {{ consumer: string, flows: number, offered: number, delivered: number, lost: number, lossless: number | undefined,
 *   kernelNs: number, readerNs: number, mainNs: number, othersNs: number, stallMs: number }} EventsRow
 */

/** @typedef {import('../workbench.mjs').Workbench} Workbench */

/** @param {Workbench} bench @returns {(import('../tools.mjs').Tool & { cli: string })[]} */
function consumers(bench) {
  const script = (/** @type {string} */ name) => new URL(`../${name}`, import.meta.url).pathname;
  const begun = { ready: /begin trace\.\.\./, linePattern: /^x/ };
  const { cli, counter, consumers: wanted, few } = bench.settings;
  const all = bench.versions.flatMap((version) => {
    const mark = version.cli === cli ? '' : ' (base)';
    const standard = nettrace(`text to file${mark}`, version.cli);
    return [
      { ...standard, cli: version.cli },
      {
        ...begun,
        name: `text to /dev/null${mark}`,
        cli: version.cli,
        words: (/** @type {string} */ ports) => [process.execPath, version.cli, '-v', '-P', ports],
        stdout: /** @type {const} */ ('null'),
        // printed when all is attached
        ready: /: (kprobe-multi|kprobe|fentry|tracepoint)/,
      },
      { ...nettrace(`JSON to file${mark}`, version.cli, ['--json']), cli: version.cli },
    ];
  });
  return [
    ...all,
    {
      ...begun,
      name: 'library',
      cli,
      words: (/** @type {string} */ ports) => [process.execPath, script('library-consumer.mjs'), bench.dist, ports],
    },
    {
      ...begun,
      name: 'C that counts',
      cli,
      words: (/** @type {string} */ ports) => [process.execPath, script('count-only.mjs'), bench.dist, counter, ports],
    },
  ]
    .filter(({ name }) => wanted.length === 0 || wanted.includes(name))
    .slice(0, few);
}

/**
 * @param {Workbench} bench
 * @param {(row: EventsRow) => void} report
 */
export async function events(bench, report) {
  const { flows, steps } = bench.settings;
  for (const consumer of consumers(bench)) {
    const running = await bench.startForFlows(consumer, Math.max(...flows));
    try {
      await untilIdle(running.pid);
      const counters = await recordCounters(running.pid, consumer.cli);
      const meter = new Meter(bench, running, counters, await readerThread(running.pid));
      for (const count of flows) {
        const row = { consumer: consumer.name, flows: count, ...(await meter.measure(count, steps)) };
        report(row);
        const { delivered, lost, lossless } = row;
        progress(
          `${row.consumer}, ${count} flows: ${delivered.toFixed(0)} records/s, ${(100 * lost).toFixed(0)} % lost; without loss ${lossless?.toFixed(0) ?? 'none'}`,
        );
      }
      await running.stop();
    } finally {
      running.kill();
    }
  }
}

class Meter {
  /**
   * @param {Workbench} bench
   * @param {import('../tools.mjs').Running} running
   * @param {() => { produced: number, lost: number }} counters
   * @param {string | undefined} reader
   */
  constructor(bench, running, counters, reader) {
    this.bench = bench;
    this.running = running;
    this.counters = counters;
    this.reader = reader;
  }

  /** One run, up to the last record's end. @param {number} flows @param {number} rate datagrams a second; 0: no limit */
  async #play(flows, rate) {
    const { bench, running, reader } = this;
    await running.stallMs();
    const [before, cpuBefore] = [this.counters(), cpuTimes(running.pid, reader)];
    const played = bench.play('udp', { flows, rate });
    const sent = performance.now();
    const caughtUpSeconds = Math.max(0, (await untilIdle(running.pid)) - sent) / 1000;
    const [after, cpuAfter] = [this.counters(), cpuTimes(running.pid, reader)];
    const stallMs = await running.stallMs();
    // it has been written, and need not fill the disk
    if (existsSync(running.file)) truncateSync(running.file, 0);
    const produced = after.produced - before.produced;
    const lost = after.lost - before.lost;
    const records = produced - lost;
    /** @param {keyof typeof cpuAfter} stage */
    const nsEach = (stage) => (cpuAfter[stage] - cpuBefore[stage]) / Math.max(1, records);
    return {
      rate,
      packetRate: played.packetRate,
      offered: produced / played.seconds,
      delivered: records / (played.seconds + caughtUpSeconds),
      lost: lost / Math.max(1, produced),
      stages: { readerNs: nsEach('reader'), mainNs: nsEach('main'), othersNs: nsEach('others'), stallMs },
    };
  }

  /** @param {number} flows @param {number} steps of the search for the highest rate without loss */
  async measure(flows, steps) {
    const unlimited = await this.#play(flows, 0);
    let best = unlimited;
    let [low, high] = [0, unlimited.packetRate];
    for (let step = 0; step < steps && unlimited.lost > 0; step++) {
      const one = await this.#play(flows, (low + high) / 2);
      if (one.lost === 0) low = one.rate;
      else high = one.rate;
      if (one.lost === 0 || best.lost > 0) best = one;
    }
    const { offered, delivered, lost } = unlimited;
    const lossless = best.lost === 0 ? best.delivered : undefined;
    return { offered, delivered, lost, lossless, kernelNs: await this.#kernelNs(flows, best.rate), ...best.stages };
  }

  /** What the kernel's programs take of a record. @param {number} flows @param {number} rate */
  async #kernelNs(flows, rate) {
    const { bench, running, counters } = this;
    const before = counters().produced;
    const { bpfNs } = bench.playCounted(running.pid, 'udp', { flows, rate });
    await untilIdle(running.pid);
    return bpfNs / Math.max(1, counters().produced - before);
  }
}
