import { countersText } from '../sinks/counters-text.js';
import { printable } from '../sinks/printable.js';
import type { TextFormatter } from '../sinks/text.js';
import type { AnyCase } from './case.js';
import { socketText } from './expect.js';
import type { ParameterDefinitions } from './parameters.js';
import type { CaseResult } from './play.js';
import type { CaseOutcome, CheckRecord, CheckStatus, HostRecord } from './result.js';

const STATUS: Readonly<Record<CheckStatus, string>> = { ok: 'ok', failed: 'NOT OK', 'not-visible': 'not visible' };
const COLORS: Readonly<Record<CheckStatus, string>> = { ok: '\x1b[32m', failed: '\x1b[31m', 'not-visible': '\x1b[33m' };
const RESET = '\x1b[0m';
const INDENT = '  ';
/** Of one case; JSON has all. */
const MAX_SOCKETS = 20;

function hostText({ name, interfaces }: HostRecord): string {
  const ends = interfaces.map(({ ifname, address, address6 }) => [ifname, address, address6].filter(Boolean).join(' '));
  return `${name} (${ends.join(', ')})`;
}

function section(title: string, lines: readonly string[]): string {
  return lines.length === 0 ? '' : `${title}:\n${lines.map((line) => `${INDENT}${printable(line)}\n`).join('')}`;
}

function checkLine({ text, status, seen, measured }: CheckRecord, color: boolean): string {
  const word = color ? `${COLORS[status]}${STATUS[status]}${RESET}` : STATUS[status];
  const more =
    status === 'ok' && !measured
      ? ''
      : `\n${INDENT}${INDENT}${status === 'not-visible' ? '' : 'seen: '}${printable(seen)}`;
  return `${INDENT}${word}: ${printable(text)}${more}\n`;
}

/** What may be missing in what was seen. */
function lossLines({ lost, traces }: CaseResult): string[] {
  const incomplete = traces.filter(({ complete }) => !complete).length;
  return [
    ...(lost > 0
      ? [`${lost} ${lost === 1 ? 'event was' : 'events were'} lost meanwhile: what was not seen may have happened`]
      : []),
    ...(incomplete > 0 ? [`incomplete: ${incomplete} of ${traces.length} traces`] : []),
  ];
}

function limitedList(lines: readonly string[]): string[] {
  const more = lines.length - MAX_SOCKETS;
  return more > 0 ? [...lines.slice(0, MAX_SOCKETS), `and ${more} more`] : [...lines];
}

const OUTCOMES: Readonly<Record<Exclude<CaseOutcome, 'skipped'>, string>> = {
  passed: 'as expected',
  failed: 'NOT as expected',
  shown: 'nothing was expected that can be seen here',
  error: 'it could not be played to its end',
};

/** All that a case's playing has brought, for people. */
export function resultText(result: CaseResult, formatter: TextFormatter, color: boolean): string {
  const { repetition, steps, traces, counters, connections, sockets, checks, outcome, reason, parameters } = result;
  const again = repetition > 1 ? `, repetition ${repetition}` : '';
  let text = `case ${result.case}: ${printable(result.title)}${again}\n`;
  if (outcome === 'skipped') return `${text}${INDENT}skipped: ${printable(reason ?? '')}\n\n`;
  const settings = Object.entries(parameters).map(([name, value]) => `${name}=${value}`);
  text += section('network', [
    ...result.hosts.map(hostText),
    ...result.links.map(({ left, right }) => `${left} -- ${right}`),
  ]);
  text += section('with', settings.length > 0 ? [settings.join(' ')] : []);
  text += section(
    'steps',
    steps.map(({ text: words, durationUs }, i) => `${i + 1}. ${words} (${(durationUs / 1000).toFixed(1)} ms)`),
  );
  text += `\n${traces.map((trace) => formatter.trace(trace)).join('')}`;
  text += counters.map((record) => countersText(record, undefined)).join('');
  text += connections.map((record) => formatter.record(record)).join('');
  text += section('sockets left', limitedList(sockets.map(socketText)));
  if (checks.length > 0) text += `expected:\n${checks.map((check) => checkLine(check, color)).join('')}`;
  for (const line of [...lossLines(result), ...(reason === undefined ? [] : [reason])])
    text += `${INDENT}${printable(line)}\n`;
  return `${text}${OUTCOMES[outcome]}\n\n`;
}

/** The cases by their groups, for `nettrace repro list`. */
export function listText(cases: readonly AnyCase[]): string {
  const width = Math.max(0, ...cases.map(({ name }) => name.length));
  const groups = [...new Set(cases.map(({ group }) => group))];
  return groups
    .map((group) => {
      const lines = cases
        .filter((one) => one.group === group)
        .flatMap(({ name, title, parameters }) => [
          `${INDENT}${name.padEnd(width)}  ${printable(title)}`,
          ...Object.entries((parameters ?? {}) as ParameterDefinitions).map(
            ([key, { text, unit, default: standard }]) =>
              printable(`${INDENT}${' '.repeat(width)}  --set ${key}=${standard}${unit ? ` ${unit}` : ''}: ${text}`),
          ),
        ]);
      return `${group}:\n${lines.join('\n')}\n`;
    })
    .join('\n');
}

/** One line over all. */
export function totalText(results: readonly CaseResult[]): string {
  const count = (outcome: CaseResult['outcome']) => results.filter((one) => one.outcome === outcome).length;
  const parts = [
    `${count('passed')} as expected`,
    `${count('failed')} not`,
    ...(count('shown') > 0 ? [`${count('shown')} expected nothing that can be seen here`] : []),
    ...(count('error') > 0 ? [`${count('error')} could not be played`] : []),
    ...(count('skipped') > 0 ? [`${count('skipped')} skipped`] : []),
  ];
  return `${results.length} ${results.length === 1 ? 'case' : 'cases'}: ${parts.join(', ')}\n`;
}
