#!/usr/bin/env node
// @ts-check
// Records what the ring buffer delivers under load, for replay.mjs: the batches as they are, and how the probes were
// attached. Root; makes its own network namespaces.
//
//   node scripts/replay/record.mjs RECORDING [--load build/bench/load] [--kinds pingpong,udp] [--seconds 1]
//                                  [-- OPTIONS OF NETTRACE]
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, writeFileSync, writeSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { serialize } from 'node:v8';
import { Network } from '../bench/network.mjs';
import { load, withOptions } from './program.mjs';

const DIST = 'dist';
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    load: { type: 'string', default: 'build/bench/load' },
    kinds: { type: 'string', default: 'pingpong,udp' },
    seconds: { type: 'string', default: '1' },
  },
});
const [recording, ...words] = positionals;
if (recording === undefined) {
  console.error('record: where to?');
  process.exit(2);
}

const { AttachedPrograms } = await load(DIST, 'load/open.js');
const { trace } = await load(DIST, 'trace.js');
const { toTraceOptions } = await load(DIST, 'commands/trace.js');
const file = openSync(`${recording}.batches`, 'w');
/** @type {{ now: number, bytes: number }[]} */
const batches = [];
const { read } = AttachedPrograms.prototype;
// nothing is decoded meanwhile: that would cost events
AttachedPrograms.prototype.read = /** @this {object} */ function () {
  return read.call(this, (/** @type {ArrayBuffer} */ batch) => {
    batches.push({ now: performance.now(), bytes: batch.byteLength });
    writeSync(file, new Uint8Array(batch));
  });
};

await withOptions(DIST, words, async (options) => {
  const network = new Network();
  const run = trace({ ...toTraceOptions(options), bufferBytes: 2 ** 26 });
  const { outcomes } = await run.ready;
  for (const kind of values.kinds.split(',')) {
    const words = [kind, ...network.words, '--port', '8000', '--seconds', values.seconds];
    await once(spawn(values.load, words, { stdio: ['ignore', 'inherit', 'inherit'] }), 'close');
  }
  run.stop();
  for await (const _ of run);
  network.close();
  const { produced, ringFull } = run.statistics();
  console.log(`${produced - ringFull} records, ${ringFull} lost`);
  const time = process.hrtime.bigint();
  writeFileSync(recording, serialize({ outcomes, batches, time, produced: produced - ringFull }));
});
closeSync(file);
