import type { ConnectionOmission, ConnectionRecord, ConnectionVerdict, Verdict } from '../types.js';
import { endpoints } from './packet-text.js';
import { printable } from './printable.js';

/** `verdict: OUTCOME (CAUSE): TEXT`, and what else holds. */
export function verdictLine({ outcome, cause, facts, text }: Verdict): string {
  const also = facts.length > 0 ? ` [${facts.join(', ')}]` : '';
  return `verdict: ${outcome} (${printable(cause)}): ${printable(text)}${printable(also)}`;
}

/** Evidence and advice below it, a line each. */
export function verdictDetails({ evidence, advice }: Verdict | ConnectionVerdict): string {
  const lines = [...evidence.map((text) => `  seen: ${text}`), ...advice.map((text) => `  advice: ${text}`)];
  return lines.map((line) => `${printable(line)}\n`).join('');
}

/** One line for each connection, and below it what says so. */
export function connectionText({ tuple, verdict, traces, incomplete }: ConnectionRecord): string {
  const packets = `${traces} packet${traces === 1 ? '' : 's'}${incomplete > 0 ? `, ${incomplete} incomplete` : ''}`;
  const line = `connection ${endpoints(tuple)} (${packets}): ${verdict.outcome} (${verdict.cause}): ${verdict.text}`;
  return `${printable(line)}\n${verdictDetails(verdict)}`;
}

export function connectionOmissionText({ count }: ConnectionOmission): string {
  return `packets of connections that were left out, as there were too many: ${count}\n`;
}
