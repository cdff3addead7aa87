import { PROBES } from '../generated/probes.js';
import type { SkbTrace, TraceEvent } from '../types.js';

const FREES = new Set(PROBES.filter((p) => p.read === 'free' || p.read === 'drop').map((p) => p.name));

/** Does this function free packets, with or without calling it a drop? */
export function isFree(func: string): boolean {
  return FREES.has(func);
}

/**
 * Where the packet had done its work: the last function before the free, for the kernel frees in batches, some time
 * later. A packet that was dropped had done it there.
 */
export function lastAtWork(trace: SkbTrace): TraceEvent | undefined {
  return trace.events.findLast((e) => e.drop || !FREES.has(e.func)) ?? trace.events[0];
}

/** Microseconds from the first function to the last one before the free. */
export function totalLatencyUs(trace: SkbTrace): number {
  const first = trace.events[0];
  const last = lastAtWork(trace);
  return first && last ? (last.t - first.t) * 1e6 : 0;
}
