import type { UnavailableProbe } from './load/attach-plan.js';
import type { AttachOutcome } from './load/backends.js';
import type { Mode } from './modes.js';
import type { TraceOptions } from './options.js';
import { Run } from './run.js';
import type { OutputRecord, SkbTrace } from './types.js';

/** What the run has seen and lost so far, by cause. */
export interface TraceStatistics {
  /** Records that the kernel side wanted to send. */
  produced: number;
  /** Records that arrived and checked out. */
  delivered: number;
  ringFull: number;
  trackFull: number;
  framesFull: number;
  /**
   * Runs of programs that the kernel left out because an interrupt came while one ran on that CPU: hits of any packets, of
   * those that match or of others. 0 on kernels that do not count them (raw tracepoints before 6.1, kprobes before 6.7).
   */
  missedRuns: number;
  malformed: number;
  /** Events whose trace was closed or full. */
  orphans: number;
  /** Traces that the consumer did not fetch in time. */
  queueFull: number;
  /** Events, or new traces, that `rateLimit` left out: no loss. */
  rateLimited: number;
  /** Packets that are followed, and how many there were about that match; both 0 where all are (`sample: 'off'`). */
  sampled: number;
  sampledOf: number;
}

/** How each probe was attached, once the run is ready. */
export interface AttachReport {
  outcomes: readonly AttachOutcome[];
  unavailable: readonly UnavailableProbe[];
  /** What is limited here, in words for the user. */
  warnings: readonly string[];
}

/** A run: an async iterable of what it reports. */
export interface TraceRun<Item = SkbTrace> extends AsyncIterable<Item> {
  /** Resolves when everything is attached; rejects with NettraceError where that fails, with the reason of a signal that came before. */
  readonly ready: Promise<AttachReport>;
  statistics(): TraceStatistics;
  /**
   * From now on packets that are first seen in this namespace too (given as in `TraceOptions.netns`, or by inode); only
   * in a ready run whose option `netns` is a list. Throws UsageError, NettraceError before `ready` and after the end.
   */
  addNamespace(netns: string | number): void;
  /** No longer; what is followed already is followed to its end. */
  removeNamespace(netns: string | number): void;
  /**
   * Resolves when all that happened so far has been read, and packets first seen in these namespaces have come to their end
   * or to rest (nothing for 150 ms), or after `timeoutMs` (default 1000) more, which begin anew as long as the reader
   * comes nearer to what had happened at the call. Those that have not ended are reported as they are, and not followed
   * further; a record that was still on its way has such a trace reported again, whole. Their traces can then be iterated.
   */
  settle(netns: readonly (string | number)[], timeoutMs?: number): Promise<void>;
  /**
   * Ends the run: what is there is still delivered, then the iteration ends. Probes that are attached one by one (kprobe,
   * fentry) are silent then, and are taken down in the background, or by the kernel when the process ends.
   */
  stop(): void;
}

/**
 * Traces packets through the kernel. Starts at once; iterate to receive finished traces (in other modes than `life`:
 * what the mode reports; with `explain` connections at the end, with `counters` what moved and which sockets are left), abort
 * `options.signal`, call `stop()` or leave the loop to end. Prints nothing. Failures are NettraceError, wrong options UsageError: from `ready` and
 * from the iteration, which a signal only ends.
 */
export function trace(
  options?: TraceOptions & {
    mode?: 'life';
    rateLimit?: never;
    sample?: 'off' | `1/${number}`;
    explain?: false;
    counters?: false;
  },
): TraceRun;
export function trace(options: TraceOptions): TraceRun<OutputRecord>;
export function trace(options: TraceOptions = {}): TraceRun<OutputRecord> | TraceRun {
  return new Run(options);
}

export type { Mode };
