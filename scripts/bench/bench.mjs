#!/usr/bin/env node
// @ts-check
// What nettrace costs, how much it sees, how long it takes to start and to end, and what it needs. Root; makes its own network
// namespaces.
//
//   node scripts/bench/bench.mjs --results FILE [--cli dist/cli.js] [--base CLI] [--groups cost,events,...] [--seconds 1]
//                                [--runs 3] [--backends fentry] ...
//
// The results are numbers in a file; no number is judged here.
import { writeFileSync } from 'node:fs';
import { cpus, release, totalmem } from 'node:os';
import { parseArgs } from 'node:util';
import { withoutStatistics } from './bpf.mjs';
import { cost } from './groups/cost.mjs';
import { events } from './groups/events.mjs';
import { growth } from './groups/growth.mjs';
import { memory } from './groups/memory.mjs';
import { show } from './groups/show.mjs';
import { start } from './groups/start.mjs';
import { progress, Workbench } from './workbench.mjs';

/**
 * @template Row
 * @typedef {{ seconds: number, rows: Row[], error?: string }} Group
 * seconds: how long the group took; error: why it has not all rows
 */
/**
 * `seconds`: of one run of a load.
 * @typedef {{ commit: string, date: string, kernel: string, cpu: string | undefined, cpus: number, memoryBytes: number,
 *   seconds: number, groups: {
 *     cost?: Group<import('./groups/cost.mjs').CostRow>, events?: Group<import('./groups/events.mjs').EventsRow>,
 *     start?: Group<import('./groups/start.mjs').StartRow>, memory?: Group<import('./groups/memory.mjs').MemoryRow>,
 *     growth?: Group<import('./groups/growth.mjs').GrowthRow>, show?: Group<import('./groups/show.mjs').ShowRow> } }} Results
 */

const GROUPS = { cost, events, start, memory, growth, show };

const { values: options } = parseArgs({
  options: {
    load: { type: 'string', default: 'build/bench/load' },
    counter: { type: 'string', default: 'build/bench/count-records' },
    results: { type: 'string' },
    cli: { type: 'string', default: 'dist/cli.js' },
    base: { type: 'string' },
    groups: { type: 'string', default: Object.keys(GROUPS).join(',') },
    seconds: { type: 'string', default: '1' },
    runs: { type: 'string', default: '3' },
    // of the group `cost`: these beside the one that is chosen by default
    backends: { type: 'string', default: '' },
    kinds: { type: 'string', default: 'pingpong,bulk,connect,udp' },
    // of the group `events`
    consumers: { type: 'string', default: '' },
    flows: { type: 'string', default: '1,2,8' },
    steps: { type: 'string', default: '4' },
    'show-mb': { type: 'string', default: '100' },
    // of each list of cases only the first
    few: { type: 'string', default: '1000' },
    commit: { type: 'string', default: 'unknown' },
  },
});
const { results } = options;
const groups = options.groups.split(',');
const unknown = groups.filter((name) => !(name in GROUPS));
if (!results || unknown.length > 0) {
  console.error(results ? `bench: there is no group '${unknown[0]}'` : 'bench: --results is needed');
  process.exit(2);
}
for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM'])) process.on(signal, () => process.exit(1));

const words = (/** @type {string} */ text) => text.split(',').filter(Boolean);
const bench = new Workbench({
  load: options.load,
  counter: options.counter,
  cli: options.cli,
  base: options.base,
  seconds: Number(options.seconds),
  runs: Number(options.runs),
  kinds: words(options.kinds),
  consumers: words(options.consumers),
  flows: words(options.flows).map(Number),
  steps: Number(options.steps),
  backends: words(options.backends),
  showMb: Number(options['show-mb']),
  few: Number(options.few),
});
withoutStatistics();
const found = {
  commit: options.commit,
  date: new Date().toISOString(),
  kernel: release(),
  cpu: cpus()[0]?.model,
  cpus: cpus().length,
  memoryBytes: totalmem(),
  seconds: Number(options.seconds),
  groups: /** @type {Record<string, Group<object>>} */ ({}),
};
for (const [name, run] of Object.entries(GROUPS)) {
  if (!groups.includes(name)) continue;
  const begun = performance.now();
  /** @type {object[]} */
  const rows = [];
  /** @type {string | undefined} */
  let error;
  try {
    await run(bench, (row) => void rows.push(row));
  } catch (failure) {
    error = failure instanceof Error ? failure.message : String(failure);
    progress(`${name}: ${error}`);
  }
  const seconds = Math.round((performance.now() - begun) / 100) / 10;
  found.groups[name] = { seconds, rows, ...(error === undefined ? {} : { error }) };
  progress(`${name}: ${seconds} s`);
  // what has been measured stays, whatever becomes of the rest
  writeFileSync(results, `${JSON.stringify(found, null, 1)}\n`);
}
bench.close();
