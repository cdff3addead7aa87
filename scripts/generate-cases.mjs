#!/usr/bin/env node
// @ts-check
// Writes docs/cases.md from what `nettrace repro all --json` has recorded on a real kernel.
//
//   node scripts/generate-cases.mjs RECORDING [FILE]
//
// `make docs-cases` records in a virtual machine and calls this. What a case is about comes from the case itself, all the rest
// from the recording; so this cannot be checked by making it again.
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { socketText } from '../dist/repro/expect.js';
import { builtinCases } from '../dist/repro/index.js';
import { countersText } from '../dist/sinks/counters-text.js';
import { TextFormatter } from '../dist/sinks/text.js';

/**
 * @typedef {import('../dist/repro/result.js').ReproRecord} ReproRecord
 * @typedef {import('../dist/types.js').SkbTrace} SkbTrace
 * @typedef {import('../dist/repro/case.js').AnyCase} AnyCase
 */

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const [recording, file = join(root, 'docs/cases.md')] = process.argv.slice(2);
if (!recording) {
  console.error('usage: generate-cases.mjs RECORDING [FILE]');
  process.exit(2);
}
/** Of each case; the others are alike, or not what it is about. */
const MAX_TRACES = 4;
const MAX_LINES = 45;
/** Of those, at the end: where the packet ends, and the verdict. */
const LAST_LINES = 8;
const MAX_CONNECTIONS = 2;
const MAX_SOCKETS = 8;

/** @type {Map<string, SkbTrace>} */
const traces = new Map();
/** @type {Map<string, ReproRecord>} */
const records = new Map();
for (const line of readFileSync(recording, 'utf8').split('\n').filter(Boolean)) {
  const record = JSON.parse(line);
  if (record.type === 'trace') traces.set(record.id, record);
  else if (record.type === 'repro') records.set(record.case, record);
}

const formatter = new TextFormatter({ detail: false, date: false, ret: false, color: false });

/** @param {string} text */
const block = (text) => `\`\`\`\n${text.replace(/\n+$/, '')}\n\`\`\`\n`;

/**
 * The packets that expectations are about, in the order of their beginnings.
 * @param {ReproRecord} record
 */
function tellingTraces(record) {
  const named = record.checks.map((check) => check.traces ?? []);
  /** @type {Set<string>} */
  const chosen = new Set();
  // the first that each expectation is about, then what there is room for
  for (let i = 0; chosen.size < MAX_TRACES && i < Math.max(0, ...named.map((ids) => ids.length)); i++) {
    for (const ids of named) {
      const id = ids[i];
      if (id !== undefined && chosen.size < MAX_TRACES) chosen.add(id);
    }
  }
  if (chosen.size === 0) for (const id of record.traces.slice(0, MAX_TRACES)) chosen.add(id);
  return record.traces.filter((id) => chosen.has(id)).flatMap((id) => traces.get(id) ?? []);
}

/**
 * How it begins, and how it ends.
 * @param {string} text
 */
function shortened(text) {
  const lines = text.replace(/\n+$/, '').split('\n');
  if (lines.length <= MAX_LINES) return lines.join('\n');
  const omitted = `... ${lines.length - MAX_LINES} more lines ...`;
  return [...lines.slice(0, MAX_LINES - LAST_LINES), omitted, ...lines.slice(-LAST_LINES)].join('\n');
}

/** @param {{ saddr: string, sport?: number, daddr: string, dport?: number } | undefined} tuple */
function endsOf(tuple) {
  if (!tuple) return '';
  return [`${tuple.saddr} ${tuple.sport}`, `${tuple.daddr} ${tuple.dport}`].sort().join(' - ');
}

/**
 * The connections of those packets; then those that did not go as any other does.
 * @param {ReproRecord} record
 * @param {SkbTrace[]} telling
 */
function tellingConnections({ connections }, telling) {
  const ends = new Set(telling.map(({ tuple }) => endsOf(tuple)));
  const rank = (/** @type {ReproRecord['connections'][number]} */ { tuple, verdict }) =>
    (ends.has(endsOf(tuple)) ? 0 : 2) + (['open', 'closed'].includes(verdict.outcome) ? 1 : 0);
  const chosen = new Set(connections.toSorted((a, b) => rank(a) - rank(b)).slice(0, MAX_CONNECTIONS));
  return connections.filter((one) => chosen.has(one));
}

/** @param {AnyCase} one */
function parametersText({ parameters = {} }) {
  const rows = Object.entries(parameters).map(
    ([name, { default: standard, text, unit }]) =>
      `| \`--set ${name}=${standard}\` | ${text}${unit ? `, in ${unit}` : ''} |`,
  );
  return rows.length > 0 ? `| | |\n|---|---|\n${rows.join('\n')}\n\n` : '';
}

/** @param {ReproRecord} record */
function networkText({ hosts, links }) {
  const lines = hosts.map(({ name, interfaces }) => {
    const ends = interfaces.map(({ ifname, address, address6 }) =>
      [ifname, address, address6].filter(Boolean).join(' '),
    );
    return `${name}: ${ends.join(', ')}`;
  });
  return block([...lines, ...links.map(({ left, right }) => `${left} -- ${right}`)].join('\n'));
}

/** @param {ReproRecord} record */
function playedText(record) {
  const steps = record.steps.map(({ text }, i) => `${i + 1}. ${text}\n`).join('');
  const telling = tellingTraces(record);
  const omitted = record.traces.length - telling.length;
  let text = `${networkText(record)}\n${steps}\n`;
  text += block(telling.map((trace) => shortened(formatter.trace(trace))).join('\n\n'));
  if (omitted > 0) text += `\n(${omitted} more ${omitted === 1 ? 'packet is' : 'packets are'} left out.)\n`;
  const moved = record.counters
    .map((one) => countersText({ ...one, name: one.host, traffic: [] }, undefined))
    .filter((section) => !section.includes('none that tells of trouble'))
    .join('');
  const connections = tellingConnections(record, telling).map((one) => formatter.record(one));
  const others = record.connections.length - connections.length;
  if (others > 0) connections.push(`(${others} more ${others === 1 ? 'connection' : 'connections'})`);
  const sockets = record.sockets.slice(0, MAX_SOCKETS).map(socketText);
  if (record.sockets.length > MAX_SOCKETS) sockets.push(`and ${record.sockets.length - MAX_SOCKETS} more`);
  const rest = [
    moved.trim(),
    ...connections.map((one) => one.trim()),
    sockets.length > 0 ? `sockets left:\n${sockets.map((line) => `  ${line}`).join('\n')}` : '',
  ].filter(Boolean);
  if (rest.length > 0) text += `\n${block(rest.join('\n\n'))}`;
  const checks = record.checks.map(({ status, text: words, measured, seen }) => {
    const mark = status === 'ok' ? '' : `(${status}) `;
    return `- ${mark}${words}${measured ? `: **${seen}**` : ''}\n`;
  });
  return `${text}\nExpected, and seen:\n\n${checks.join('')}`;
}

/** @param {AnyCase} one */
function caseText(one) {
  const record = records.get(one.name);
  if (!record) throw new Error(`${one.name} is not in the recording: make docs-cases makes a new one`);
  if (record.outcome !== 'passed' && record.outcome !== 'skipped')
    throw new Error(`${one.name} was not as expected when it was recorded: ${record.reason ?? 'see the recording'}`);
  const head = `### ${one.name}\n\n**${one.title}.**\n\n${one.description}\n\n${parametersText(one)}`;
  if (record.outcome === 'skipped') return `${head}Not recorded here: ${record.reason}.\n`;
  return `${head}${playedText(record)}`;
}

const cases = await builtinCases();
const groups = [...new Set(cases.map(({ group }) => group))];
const [kernel] = [...records.values()].map((record) => record.kernel);
const list = groups.map((group) => {
  const names = cases.filter((one) => one.group === group).map(({ name }) => `[${name}](#${name})`);
  return `- ${group}: ${names.join(', ')}\n`;
});
const text = `# The cases

Made by \`make docs-cases\` from what \`nettrace repro all --json\` recorded on Linux ${kernel}, in an emulated machine: the traces,
counters and sockets are those of that run. \`nettrace repro NAME\` plays a case on your kernel; docs/repro.md says how to write one. What
differs between kernels is declared in each case (\`src/repro/cases/NAME.ts\`).

${list.join('')}
${groups
  .map(
    (group) =>
      `## ${group}\n\n${cases
        .filter((one) => one.group === group)
        .map(caseText)
        .join('\n')}`,
  )
  .join('\n')}`;
writeFileSync(file, text);
console.error(`wrote ${file}: ${cases.length} cases`);
