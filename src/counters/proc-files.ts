import { parseCounters } from '../explain/values.js';

/** Counters by name; see bpf/counters.yaml for the names. */
export type Counters = Map<string, bigint>;

/** Counters of a namespace, which are read as one of its threads sees them. */
export const COUNTER_FILES = ['netstat', 'snmp', 'snmp6'].map((name) => `/proc/thread-self/net/${name}`);
export const CONNTRACK_FILE = '/proc/thread-self/net/stat/nf_conntrack';
/** The whole machine's: one line a CPU. */
export const SOFTNET_FILE = '/proc/net/softnet_stat';

/** softnet_seq_show() in net/core/net-procfs.c; the columns between are always zero, those behind are no counters. */
const SOFTNET_COLUMNS: Readonly<Record<number, string>> = {
  0: 'processed',
  1: 'dropped',
  2: 'time_squeeze',
  9: 'received_rps',
  10: 'flow_limit',
};

/** The counters in texts of netstat, snmp and snmp6. What is no number is left out. */
export function netCounters(texts: readonly string[]): Counters {
  const counters: Counters = new Map();
  for (const [name, value] of parseCounters(texts.join('\n')))
    if (/^-?\d{1,20}$/.test(value)) counters.set(name, BigInt(value));
  return counters;
}

/** Adds hexadecimal columns of all CPUs' lines under these names. */
function addColumns(
  counters: Counters,
  rows: readonly string[],
  names: ReadonlyArray<readonly [number, string]>,
): void {
  for (const row of rows) {
    const cells = row.trim().split(/\s+/);
    for (const [i, name] of names) {
      const cell = cells[i];
      if (cell === undefined || !/^[0-9a-f]{1,16}$/i.test(cell)) continue;
      counters.set(name, (counters.get(name) ?? 0n) + BigInt(`0x${cell}`));
    }
  }
}

export function softnetCounters(text: string): Counters {
  const counters: Counters = new Map();
  const names = Object.entries(SOFTNET_COLUMNS).map(([i, name]) => [Number(i), `softnet:${name}`] as const);
  addColumns(counters, text.split('\n'), names);
  return counters;
}

/** The first line has the names of the columns, which differ between kernels. */
export function conntrackCounters(text: string): Counters {
  const counters: Counters = new Map();
  const [head = '', ...rows] = text.split('\n');
  const names = head
    .trim()
    .split(/\s+/)
    .flatMap((name, i) => (/^\w+$/.test(name) ? [[i, `conntrack:${name}`] as const] : []));
  addColumns(counters, rows, names);
  return counters;
}

/** Counters of 32 bits go round; sums of them do so too. */
function hasHalfWidth(name: string): boolean {
  return name.startsWith('softnet:') || name.startsWith('conntrack:');
}

/** What moved. A counter that one of the two does not have began, or ended, at zero: it has not moved before. */
export function counterDeltas(before: Counters, after: Counters): Counters {
  const deltas: Counters = new Map();
  for (const [name, value] of after) {
    let delta = value - (before.get(name) ?? 0n);
    if (hasHalfWidth(name)) delta = BigInt.asUintN(32, delta);
    if (delta !== 0n) deltas.set(name, delta);
  }
  return deltas;
}
