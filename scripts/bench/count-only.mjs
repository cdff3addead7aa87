// @ts-check
// nettrace's programs, attached as for `nettrace -P PORTS`, and in place of its user space a C program that counts the
// records, until SIGINT.
//
//   node scripts/bench/count-only.mjs DIST COUNT_RECORDS PORTS
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

const [dist = '', counter = '', ports = ''] = process.argv.slice(2);
/** @param {string} path */
const load = (path) => import(pathToFileURL(resolve(join(dist, path))).href);
/** @type {[typeof import('../../src/load/kernel.js'), typeof import('../../src/load/select-probes.js'),
 *   typeof import('../../src/load/attach-plan.js'), typeof import('../../src/load/open.js'), typeof import('../../src/options.js')]} */
const [{ Kernel }, { selectProbes }, { planProbes }, { AttachedPrograms, PLAIN_INPUT }, { parseFilter }] = [
  await load('load/kernel.js'),
  await load('load/select-probes.js'),
  await load('load/attach-plan.js'),
  await load('load/open.js'),
  await load('options.js'),
];

/** BPF_MAP_TYPE_RINGBUF of linux/bpf.h */
const RINGBUF = '27';

function ringBufferId() {
  for (const fd of readdirSync('/proc/self/fdinfo')) {
    const text = readFileSync(`/proc/self/fdinfo/${fd}`, { encoding: 'utf8', flag: 'r' });
    const [, type] = /^map_type:\s+(\d+)/m.exec(text) ?? [];
    const [, id] = /^map_id:\s+(\d+)/m.exec(text) ?? [];
    if (type === RINGBUF && id) return id;
  }
  throw new Error('this process has no ring buffer');
}

const kernel = await Kernel.read(undefined);
const asked = { mode: /** @type {const} */ ('life'), wantOwner: false, filterOwner: false, wantRtt: false };
const definitions = selectProbes(asked, kernel);
const plan = async () => planProbes(definitions, kernel, false);
const programs = await AttachedPrograms.open(kernel.btf, definitions, plan, {
  ...PLAIN_INPUT,
  filter: parseFilter({ port: [ports] }),
  netns: 0,
  bufferBytes: 8 * 1024 * 1024,
});
const child = spawn(counter, [ringBufferId()], { stdio: ['ignore', 'pipe', 'inherit'] });
const ended = once(child, 'close');
process.on('exit', () => child.kill('SIGKILL'));
child.stdout.once('data', () => {
  console.log('begin trace...');
  child.stdout.pipe(process.stdout);
});
// a signal alone keeps no process running; the counter does
await once(process, 'SIGINT');
await programs.detach();
child.kill('SIGTERM');
await ended;
console.log(JSON.stringify(programs.counts()));
programs.close();
