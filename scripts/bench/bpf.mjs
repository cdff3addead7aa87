// @ts-check
// What the kernel counts for BPF programs, and what nettrace's programs count themselves.
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

const SWITCH = '/proc/sys/kernel/bpf_stats_enabled';

/** Counting costs time of its own, so it is off but for runs that ask for it. Put back at the exit. */
export function withoutStatistics() {
  const formerly = readFileSync(SWITCH, 'utf8');
  writeFileSync(SWITCH, '0');
  process.on('exit', () => writeFileSync(SWITCH, formerly));
}

/** @param {number} pid @param {string} field @returns {Map<string, string>[]} what descriptors with this field tell */
function descriptors(pid, field) {
  /** @type {Map<string, Map<string, string>>} */
  const found = new Map();
  for (const fd of readdirSync(`/proc/${pid}/fdinfo`)) {
    const text = readFileSync(`/proc/${pid}/fdinfo/${fd}`, 'utf8');
    const lines = new Map(text.split('\n').map((line) => /** @type {[string, string]} */ (line.split(/:\s+/))));
    const id = lines.get(field);
    // links name their program too, without its counts
    if (id !== undefined && !lines.has('link_id')) found.set(id, lines);
  }
  return [...found.values()];
}

/** @param {number} pid */
function programs(pid) {
  const sum = (/** @type {string} */ field) =>
    descriptors(pid, 'prog_id').reduce((total, lines) => total + Number(lines.get(field) ?? 0), 0);
  return { ns: sum('run_time_ns'), runs: sum('run_cnt') };
}

/**
 * Does something with the kernel's statistics on: what all BPF programs of a process took meanwhile.
 * @template Result
 * @param {number} pid
 * @param {() => Result} work
 */
export function countBpf(pid, work) {
  writeFileSync(SWITCH, '1');
  try {
    const before = programs(pid);
    const result = work();
    const after = programs(pid);
    return { result, ns: after.ns - before.ns, runs: after.runs - before.runs };
  } finally {
    writeFileSync(SWITCH, '0');
  }
}

/** @param {string[]} words */
const bpftool = (...words) =>
  JSON.parse(execFileSync('bpftool', ['-j', ...words], { encoding: 'utf8', maxBuffer: 1 << 26 }));

/**
 * Reads the counters of a running nettrace: records that were to be sent, and those that were lost in the kernel.
 * @param {number} pid
 * @param {string} cli whose dist/ has the layout
 */
export async function recordCounters(pid, cli) {
  const layout = pathToFileURL(resolve(join(dirname(cli), 'generated/layout.js'))).href;
  /** @type {typeof import('../../src/generated/layout.js')} */
  const { CpuLosses, LossCause } = await import(layout);
  const own = new Set(descriptors(pid, 'map_id').map((lines) => Number(lines.get('map_id'))));
  /** @type {{ id: number, name?: string }[]} */
  const maps = bpftool('map', 'show');
  const map = maps.find(({ id, name }) => own.has(id) && name === 'losses');
  if (!map) throw new Error('the traced process has no map of losses');
  return () => {
    /** @type {{ value: string[] }[]} */
    const cpus = bpftool('map', 'dump', 'id', String(map.id));
    const sum = (/** @type {number} */ cause) =>
      cpus.reduce((total, { value }) => {
        const bytes = Buffer.from(value.map(Number));
        return total + Number(bytes.readBigUInt64LE(CpuLosses.count + 8 * cause));
      }, 0);
    return { produced: sum(LossCause.noneProduced), lost: sum(LossCause.ringFull) };
  };
}
