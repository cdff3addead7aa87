import { types } from 'node:util';
import { UsageError } from '../errors.js';
import type { ConnectionRecord, SkbTrace } from '../types.js';
import type { KernelVersion } from './by-kernel.js';
import { errorText } from './error-text.js';
import type { Surroundings } from './expectations.js';
import type { CheckRecord, HostSocket } from './result.js';
import { valueText } from './value-text.js';

/** What a session has seen of a case: what expectations are held against. */
export interface Observation extends Surroundings {
  version: KernelVersion;
  /** Traces in the order of their beginnings. */
  traces: readonly SkbTrace[];
  /** How much this counter has risen, over all hosts or on one; undefined where the kernel does not have it. */
  counter(name: string, host?: string): number | undefined;
  sockets: readonly HostSocket[];
  /** TCP connections, as far as their segments were traced. */
  connections: readonly ConnectionRecord[];
  /** Why this function or tracepoint is not seen here; undefined where it is. */
  invisible(name: string): string | undefined;
  /** Tracepoints that stand in for this function where it could not be attached. */
  standIns(name: string): readonly string[];
  /** Why functions are not seen; undefined where any could be attached. */
  noFunctions: string | undefined;
}

/** What a check says: true and false, with what was seen (a measurement is shown in any case); or why nothing can be said. */
export type Finding =
  | { ok: boolean; seen: string; measured?: boolean; about?: readonly SkbTrace[] }
  | { invisible: string };

/** Traces that a record names. */
const MAX_ABOUT = 4;

/** One expectation of a case. */
export interface Check {
  text(version: KernelVersion): string;
  find(observed: Observation): Finding;
}

/** What a test of a user has said. Throws UsageError where that is neither true nor false: a promise would always hold. */
export function booleanOf(said: unknown, what: string): boolean {
  if (typeof said === 'boolean') return said;
  throw new UsageError(
    `the test '${what}' gave ${types.isPromise(said) ? 'a promise' : valueText(said)}, not true or false`,
  );
}

/** What a check of a user has given, where no compiler has looked: a failure that says so where it is no finding. */
function findingOf(find: Check['find'], observed: Observation): Finding {
  let finding: unknown;
  try {
    finding = find(observed);
  } catch (error) {
    return { ok: false, seen: `the check has thrown: ${errorText(error)}` };
  }
  const { ok, seen, invisible } = (finding ?? {}) as Partial<Record<'ok' | 'seen' | 'invisible', unknown>>;
  if (typeof invisible === 'string' || (typeof ok === 'boolean' && typeof seen === 'string')) return finding as Finding;
  const given = types.isPromise(finding) ? 'a promise (a check waits for nothing)' : valueText(finding);
  return { ok: false, seen: `the check gave ${given}, and not { ok, seen } or { invisible }` };
}

export function runCheck({ text, find }: Check, observed: Observation): CheckRecord {
  const words = text(observed.version);
  const finding = findingOf(find, observed);
  if ('invisible' in finding) return { text: words, status: 'not-visible', seen: finding.invisible };
  const { ok, seen, measured, about = [] } = finding;
  return {
    text: words,
    status: ok ? 'ok' : 'failed',
    seen,
    ...(measured ? { measured } : {}),
    ...(about.length > 0 ? { traces: about.slice(0, MAX_ABOUT).map(({ id }) => id) } : {}),
  };
}
