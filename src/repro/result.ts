/**
 * What became of a case: the last line of each case in `nettrace repro --json`, and the source of
 * schema/repro.schema.json. Fields are added, never renamed, within one version.
 */
import type { ConnectionRecord, CountersRecord, Leftover } from '../types.js';

/** ok, not ok; not-visible: what it is about cannot be seen with what could be attached here, so nothing is said. */
export type CheckStatus = 'ok' | 'failed' | 'not-visible';

/** One expectation, and what was found. */
export interface CheckRecord {
  /** What was expected. */
  text: string;
  status: CheckStatus;
  /** What was seen; with not-visible: why it cannot be. */
  seen: string;
  /** Ids of the traces that it is about: of the first of them. */
  traces?: string[];
  /** What was seen is a measurement, worth reading also where it is as expected. */
  measured?: boolean;
}

export interface StepRecord {
  text: string;
  /** Seconds of the monotonic clock, as in traces. */
  t: number;
  durationUs: number;
}

/** A host of the case's network. */
export interface HostRecord {
  name: string;
  /** Name of its network namespace, and the namespace's inode. */
  namespace: string;
  netns: number;
  interfaces: { ifname: string; mac: string; address: string; address6?: string }[];
}

/** What moved in a host's namespace while the case was played, and by which traces. */
export interface HostCounters extends CountersRecord {
  host: string;
}

/** A socket that was there when the case had been played, with the packets that made it. */
export interface HostSocket extends Leftover {
  host: string;
}

export type CaseOutcome = 'passed' | 'failed' | 'shown' | 'skipped' | 'error';

export interface ReproRecord {
  v: 1;
  type: 'repro';
  case: string;
  group: string;
  title: string;
  /**
   * passed: all that is visible here is as expected; shown: it was played, and expects nothing, or nothing that is visible here;
   * error: it could not be played to its end.
   */
  outcome: CaseOutcome;
  /** Of skipped and error: why. */
  reason?: string;
  /** The kernel's release. */
  kernel: string;
  /** False where only tracepoints could be attached. */
  functions: boolean;
  parameters: Record<string, number | string | boolean>;
  seed: number;
  /** From 1 on, with --repeat. */
  repetition: number;
  /** Wall-clock time of the beginning, ISO 8601 in UTC. */
  date: string;
  durationUs: number;
  /** Events that were lost meanwhile: what is missing in the traces may have happened. */
  lost: number;
  hosts: HostRecord[];
  links: { left: string; right: string }[];
  steps: StepRecord[];
  /** Ids of the traces, in the order of their beginnings; the traces are lines of their own, before this one. */
  traces: string[];
  counters: HostCounters[];
  /** Of each TCP connection whether it stands, how it ended, and why. */
  connections: ConnectionRecord[];
  sockets: HostSocket[];
  checks: CheckRecord[];
}

/** A case as `nettrace repro list --json` names it. */
export interface CaseRecord {
  v: 1;
  type: 'case';
  name: string;
  group: string;
  title: string;
  description: string;
  parameters: Record<
    string,
    { default: number | string | boolean; text: string; unit?: string; range?: number[]; choices?: string[] }
  >;
}
