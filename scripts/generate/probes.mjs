// bpf/probes.yaml, checked, as a TypeScript table.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { makeChecks, tableText } from './table.mjs';

const { requireThat, checkKeys, checkLevel, checkValues } = makeChecks('bpf/probes.yaml');

const PROBE_KEYS = new Set(
  'name groups symbols tracepoint instead_of skb deref entry read a b without_btf no_parse receiving note returns with_return show default sock monitor'.split(
    ' ',
  ),
);
const STAGE_KEYS = new Set(['stage', 'groups', 'default', 'probes']);
const NOTE_KEYS = new Set(['level', 'text', 'advice', 'values', 'cause']);
const RULE_KEYS = new Set(['when', 'level', 'note', 'advice', 'values', 'cause']);
const WHEN_KEYS = new Set(['eq', 'ne', 'lt', 'gt', 'mask', 'type', 'reason', 'has_reason']);
const TYPES = new Set(['reason', 'bool', 'pointer', 'int']);
const SHOWS = new Set(['errno', 'reason', 'verdict', 'hex', 'number']);

function convertNote(note, what) {
  checkKeys(note, NOTE_KEYS, what);
  checkLevel(note.level, what);
  checkValues(note.values, what);
  requireThat(typeof note.text === 'string', `${what}: a note needs a text`);
  return note;
}

function convertWhen(when, what) {
  requireThat(when, `${what}: a rule needs its condition`);
  checkKeys(when, WHEN_KEYS, what);
  for (const type of when.type ?? []) requireThat(TYPES.has(type), `${what}: unknown type '${type}'`);
  const { has_reason: hasReason, ...rest } = when;
  return { ...rest, hasReason };
}

function convertRule(rule, what) {
  checkKeys(rule, RULE_KEYS, what);
  const { when, level, note: text, advice, values, cause } = rule;
  return { when: convertWhen(when, what), note: convertNote({ level, text, advice, values, cause }, what) };
}

function convertProbe(probe, stage, reads) {
  const what = `probe ${probe.name}`;
  checkKeys(probe, PROBE_KEYS, what);
  requireThat(!probe.read || reads.includes(probe.read), `${what}: config.h has no READ_${probe.read?.toUpperCase()}`);
  requireThat(!probe.show || SHOWS.has(probe.show), `${what}: unknown show '${probe.show}'`);
  const list = (value) => (value === undefined ? undefined : [value].flat());
  const converted = {
    name: probe.name,
    stage: stage.stage,
    groups: [...(stage.groups ?? []), ...(probe.groups ?? [])],
    isDefault: probe.default ?? stage.default ?? true,
    symbols: probe.tracepoint ? undefined : (probe.symbols ?? [probe.name]),
    tracepoint: probe.tracepoint,
    insteadOf: probe.instead_of,
    skb: probe.skb,
    deref: probe.deref,
    entry: probe.entry || undefined,
    read: probe.read ?? 'nothing',
    a: list(probe.a),
    b: list(probe.b),
    withoutBtf: probe.without_btf,
    noParse: probe.no_parse,
    receiving: probe.receiving,
    note: probe.note && convertNote(probe.note, what),
    returns: (probe.returns ?? []).map((rule) => convertRule(rule, what)),
    withReturn: probe.with_return,
    show: probe.show,
    sock: probe.sock,
    monitor: probe.monitor,
  };
  return JSON.parse(JSON.stringify(converted));
}

export function generateProbes(root, reads) {
  const table = parse(readFileSync(join(root, 'bpf/probes.yaml'), 'utf8'));
  const probes = [];
  for (const stage of table.stages) {
    checkKeys(stage, STAGE_KEYS, `stage ${stage.stage}`);
    for (const probe of stage.probes) probes.push(convertProbe(probe, stage, reads));
  }
  const names = new Set(probes.map((p) => p.name));
  requireThat(names.size === probes.length, 'a probe is declared twice');
  for (const probe of probes) {
    for (const other of probe.insteadOf ?? [])
      requireThat(names.has(other), `${probe.name}: instead_of unknown '${other}'`);
  }
  const stages = table.stages.map((s) => s.stage);
  return [
    '// Generated from bpf/probes.yaml: do not edit.',
    "import type { ProbeDefinition } from '../load/probe-definition.js';",
    '',
    `export const STAGES = ${JSON.stringify(stages)} as const;`,
    '',
    tableText('PROBES', 'ProbeDefinition', probes),
  ].join('\n');
}
