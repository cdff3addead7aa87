// bpf/counters.yaml, checked, as a TypeScript table.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { makeChecks, tableText } from './table.mjs';

const { requireThat, checkKeys } = makeChecks('bpf/counters.yaml');
const COUNTER_KEYS = new Set(['names', 'meaning', 'by', 'instead']);
/** Key in the table, and in TypeScript. */
const RULE_KEYS = {
  ...Object.fromEntries(
    'causes outcomes begins arrives ends repeat probe abort probed recycles window family at loss reasons note protos types flags ret states gone ahead sent paws each'
      .split(' ')
      .map((key) => [key, key]),
  ),
  given_up: 'givenUp',
  not_at: 'notAt',
  drop_at: 'dropAt',
  reset_reasons: 'resetReasons',
  no_flags: 'noFlags',
  new_states: 'newStates',
};
const LISTS = new Set(
  'causes outcomes given_up at not_at drop_at reasons reset_reasons note protos types states new_states'.split(' '),
);
/** How far a connection was that is given up. */
const STAGES = ['handshake', 'connection', 'closing'];
const NAME = /^(?:(?:softnet|conntrack|link):)?\w+\*?$/;

function convertRule(rule, what) {
  checkKeys(rule, new Set(Object.keys(RULE_KEYS)), what);
  requireThat(
    Object.keys(rule).some((key) => key !== 'each'),
    `${what}: a rule without conditions fits all traces`,
  );
  for (const [key, value] of Object.entries(rule))
    requireThat(LISTS.has(key) === Array.isArray(value), `${what}: ${key} is ${LISTS.has(key) ? 'a list' : 'no list'}`);
  for (const flags of [rule.flags, rule.no_flags])
    requireThat(/^[SARPFU]*$/.test(flags ?? ''), `${what}: flags are letters of SARPFU`);
  requireThat(['event', 'again', undefined].includes(rule.each), `${what}: each is event or again`);
  requireThat(['queued', 'refused', undefined].includes(rule.ahead), `${what}: ahead is queued or refused`);
  requireThat(['closed', 'opened', undefined].includes(rule.window), `${what}: window is closed or opened`);
  requireThat(!rule.window || Object.keys(rule).length === 1, `${what}: window is a condition by itself`);
  requireThat(
    (rule.given_up ?? []).every((stage) => STAGES.includes(stage)),
    `${what}: given_up are some of ${STAGES.join(', ')}`,
  );
  requireThat([4, 6, undefined].includes(rule.family), `${what}: family is 4 or 6`);
  return Object.fromEntries(Object.entries(rule).map(([key, value]) => [RULE_KEYS[key], value]));
}

export function generateCounters(root) {
  const table = parse(readFileSync(join(root, 'bpf/counters.yaml'), 'utf8'));
  const seen = new Set();
  const checkName = (name) => {
    requireThat(NAME.test(name), `'${name}' is no name of a counter`);
    requireThat(!seen.has(name), `${name} is there twice`);
    seen.add(name);
  };
  const counters = table.counters.map((counter) => {
    const what = `counter ${counter.names?.[0]}`;
    checkKeys(counter, COUNTER_KEYS, what);
    requireThat(counter.meaning, `${what}: a meaning is needed`);
    for (const name of counter.names) checkName(name);
    const { names, meaning, by, instead } = counter;
    requireThat(!instead || by, `${what}: instead needs by`);
    const rules = (list) => list?.map((rule) => convertRule(rule, what));
    return { names, meaning, by: rules(by), instead: rules(instead) };
  });
  const traffic = table.traffic.flat();
  for (const name of [...traffic, ...table.settings]) checkName(name);
  return [
    '// Generated from bpf/counters.yaml: do not edit.',
    "import type { CounterDefinition } from '../counters/counter-definition.js';",
    '',
    tableText('COUNTERS', 'CounterDefinition', counters),
    '/** What any traffic moves. */',
    `export const TRAFFIC: readonly string[] = ${JSON.stringify(traffic)};`,
    '',
    '/** Lines of these files that count nothing. */',
    `export const SETTINGS: readonly string[] = ${JSON.stringify(table.settings)};`,
    '',
  ].join('\n');
}
