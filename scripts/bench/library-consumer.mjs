// @ts-check
// A program that uses the library and counts what it is given, until SIGINT.
//
//   node scripts/bench/library-consumer.mjs DIST PORTS [AGE_MS]
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

const [dist = '', ports = '', age] = process.argv.slice(2);
/** @type {typeof import('../../src/index.js')} */
const { trace } = await import(pathToFileURL(resolve(join(dist, 'index.js'))).href);
const run = trace({ port: [ports], sample: 'off', ...(age ? { ageMs: Number(age) } : {}) });
process.once('SIGINT', () => run.stop());
await run.ready;
console.log('begin trace...');
let traces = 0;
let events = 0;
for await (const one of run) {
  traces++;
  events += one.events.length;
}
console.log(JSON.stringify({ traces, events, ...run.statistics() }));
