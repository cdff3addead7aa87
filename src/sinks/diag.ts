import type { Finding } from '../types.js';
import { printable } from './printable.js';

const HEAD = '---------------- ANALYSIS RESULT ---------------------';

function section(title: string, lines: readonly string[]): string {
  if (lines.length === 0) return '';
  return `    ${title}:\n${lines.map((line) => `\t${printable(line)}\n`).join('')}`;
}

function one(line: string | undefined): string[] {
  return line === undefined ? [] : [line];
}

/** Hook functions stand apart, with a blank line before and behind them. */
function hooksText(finding: Finding): string {
  const hooks = finding.hooks ?? [];
  if (hooks.length === 0) return '';
  const text = section(
    'following hook functions are blamed',
    hooks.map((hook) => (hook.blamed ? `${hook.name} <- returned the verdict` : hook.name)),
  );
  return `\n${text}${finding.advice.length > 0 ? '\n' : ''}`;
}

function findingText(finding: Finding, number: number): string {
  const values = finding.values.map(({ name, value }) => `${name} is ${value}`);
  return [
    `[${number}] ${finding.level.toUpperCase()} happens in ${printable(finding.func)}(${finding.group}):\n`,
    `\t${printable(finding.message)}\n`,
    section('location', one(finding.location)),
    section('drop reason', one(finding.dropReason)),
    section('state', one(finding.state)),
    section('reset reason', one(finding.resetReason)),
    hooksText(finding),
    section('fix advice', [...finding.advice, ...values]),
  ].join('');
}

/**
 * The block behind a trace's lines in the diagnose mode, in the form that users of nettrace know; `finished`: it is the
 * last one.
 */
export function diagText(findings: readonly Finding[], finished: boolean): string {
  const texts = findings.map((finding, i) => `${findingText(finding, i + 1)}\n`);
  // a block ends with a blank line, but for the last one
  const end = finished ? 'analysis finished!\n' : texts.length === 0 ? '\n' : '';
  return `${HEAD}\n${texts.join('')}${end}`;
}
