import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { counterKind } from '../../../src/counters/counter-table.js';
import { LINK_COUNTERS } from '../../../src/counters/links.js';
import { conntrackCounters, netCounters, softnetCounters } from '../../../src/counters/proc-files.js';
import { packetCause } from '../../../src/explain/causes/index.js';
import { dropReason } from '../../../src/explain/drop-reasons.js';
import { COUNTERS, SETTINGS, TRAFFIC } from '../../../src/generated/counters.js';
import { PROBES } from '../../../src/generated/probes.js';

const FIXTURES = new URL('../../fixtures/proc-net/', import.meta.url);
const read = (kernel: string, file: string) => readFileSync(new URL(`${kernel}/${file}`, FIXTURES), 'utf8');
/** Recorded on these kernels; all statistics of interfaces that this program reads. */
const namesOf = (kernel: string) => [
  ...netCounters(['netstat', 'snmp', 'snmp6'].map((file) => read(kernel, file))).keys(),
  ...softnetCounters(read(kernel, 'softnet_stat')).keys(),
  ...conntrackCounters(read(kernel, 'nf_conntrack')).keys(),
  ...LINK_COUNTERS,
];
const KERNELS = readdirSync(FIXTURES);
const known = new Set(KERNELS.flatMap(namesOf));
const rules = COUNTERS.flatMap(({ names, by = [], instead = [] }) =>
  [...by, ...instead].map((rule) => ({ name: names[0], rule })),
);

/** Columns of kernels before 5.10 and after 5.10, that a recorded one does not have. */
const NOT_RECORDED = ['conntrack:chaintoolong', 'conntrack:searched'];

describe('the table of counters', () => {
  it.each(KERNELS)('has every counter of %s', (kernel) => {
    const names = namesOf(kernel);
    expect(names.length).toBeGreaterThan(250);
    expect(names.filter((name) => counterKind(name) === undefined)).toEqual([]);
  });

  it.each([...COUNTERS.flatMap((counter) => counter.names), ...TRAFFIC, ...SETTINGS])(
    '%s is of some kernel',
    (name) => {
      if (NOT_RECORDED.includes(name)) return;
      const fits = (one: string) => (name.endsWith('*') ? one.startsWith(name.slice(0, -1)) : one === name);
      expect([...known].some(fits)).toBe(true);
    },
  );

  it('names only causes that verdicts can have', () => {
    for (const { rule } of rules) for (const cause of rule.causes ?? []) expect(packetCause(cause).id).toBe(cause);
  });

  it('names only functions that are traced', () => {
    const names = new Set(PROBES.map((probe) => probe.name));
    for (const { name, rule } of rules)
      expect(
        (rule.at ?? []).filter((func) => !names.has(func)),
        name,
      ).toEqual([]);
  });

  it('names only drop reasons that are known', () => {
    for (const { name, rule } of rules)
      expect(
        (rule.reasons ?? []).filter((reason) => reason !== 'none' && !dropReason(reason)),
        name,
      ).toEqual([]);
  });

  it('names only notes that are made', () => {
    const table = readFileSync(new URL('../../../bpf/probes.yaml', import.meta.url), 'utf8');
    const builder = readFileSync(new URL('../../../src/explain/trace-builder.ts', import.meta.url), 'utf8');
    for (const { name, rule } of rules)
      expect(
        (rule.note ?? []).filter((note) => !table.includes(note) && !builder.includes(note)),
        name,
      ).toEqual([]);
  });
});
