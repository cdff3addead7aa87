#!/usr/bin/env node
// @ts-check
// Plays what record.mjs recorded through everything behind the ring buffer, as fast as it goes, and says how fast that
// was. The clocks stand where they stood, so the output of two builds can be compared byte by byte. On the machine that
// the recording is from, until it is started again: addresses of functions are its own.
//
//   node scripts/replay/replay.mjs RECORDING [--dist dist] [--repeat 1] -- OPTIONS OF NETTRACE, such as -o /dev/null
import { closeSync, openSync, readFileSync, readSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { deserialize } from 'node:v8';
import { load, withOptions } from './program.mjs';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { dist: { type: 'string', default: 'dist' }, repeat: { type: 'string', default: '1' } },
});
const [recording, ...words] = positionals;
const { AttachedPrograms } = await load(values.dist, 'load/open.js');
// not the command itself, which has all of this inside of its own file
const { Run } = await load(values.dist, 'run.js');
const { toTraceOptions } = await load(values.dist, 'commands/trace.js');
const { RecordPrinter } = await load(values.dist, 'commands/record-printer.js');
const { BlockWriter } = await load(values.dist, 'sinks/block-writer.js');
const { openWriter } = await load(values.dist, 'sinks/open-writer.js');
const { NetnsFiles } = await load(values.dist, 'explain/netns-files.js');
// the namespaces are gone, and their numbers may be others' now
NetnsFiles.prototype.read = () => undefined;
const { outcomes, batches, time, produced } = deserialize(readFileSync(recording ?? ''));
const repeat = Number(values.repeat);
const realNow = performance.now.bind(performance);
let now = batches[0].now;
performance.now = () => now;
process.hrtime.bigint = () => time;
Date.now = () => 1.7e12;

let [begun, ended, stall] = [0, 0, 0];
let stop = () => {};
const idle = process.cpuUsage();

/** Reads a batch for each turn of the event loop, as the addon hands them over. @param {(batch: ArrayBuffer) => void} onBatch */
function play(onBatch) {
  const file = openSync(`${recording}.batches`, 'r');
  const loops = batches.length * repeat;
  let next = 0;
  let position = 0;
  let before = realNow();
  begun = before;
  const one = () => {
    const at = realNow();
    stall = Math.max(stall, at - before);
    before = at;
    if (next === loops) {
      closeSync(file);
      ended = at;
      stop();
      return;
    }
    const { now: then, bytes } = batches[next % batches.length];
    const bytesRead = Buffer.from(new ArrayBuffer(bytes));
    if (next % batches.length === 0) position = 0;
    position += readSync(file, bytesRead, 0, bytes, position);
    now = then;
    next++;
    onBatch(bytesRead.buffer);
    setImmediate(one);
  };
  setImmediate(one);
}

AttachedPrograms.open = async () => ({
  outcomes,
  plan: { probes: outcomes.map((/** @type {{ probe: object }} */ { probe }) => probe), unavailable: [] },
  tracepointsOnly: true,
  hz: 250,
  counts: () => ({
    produced: produced * repeat,
    ringFull: 0,
    trackFull: 0,
    framesFull: 0,
    rateLimited: 0,
    sampled: 0,
    sampledOf: 0,
  }),
  read(/** @type {(batch: ArrayBuffer) => void} */ onBatch) {
    play(onBatch);
    return { stop: async () => {} };
  },
  forget() {},
  sweep() {},
  async detach() {},
  missedRuns: () => 0,
  close() {},
});
await withOptions(values.dist, words, async (options) => {
  const run = new Run(toTraceOptions(options));
  stop = () => run.stop();
  const printer = new RecordPrinter(options);
  const writer = new BlockWriter(openWriter(options));
  for await (const record of run) {
    const text = printer.text(record);
    if (text !== undefined) await writer.write(text);
  }
  await writer.close();
});
const peak = /VmHWM:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1];
const all = realNow() - begun;
const { user, system } = process.cpuUsage(idle);
const perSecond = (/** @type {number} */ ms) => `${((produced * repeat) / ms).toFixed(0)} thousand events/s`;
console.error(
  `${perSecond((user + system) / 1e3)} of CPU time, ${perSecond(all)} in ${all.toFixed(0)} ms, of which the end ${(all - (ended - begun)).toFixed(0)} ms; longest turn ${stall.toFixed(0)} ms, peak ${(Number(peak) / 1024).toFixed(0)} MiB`,
);
