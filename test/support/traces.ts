import { PROBES } from '../../src/generated/probes.js';
import type { AttachOutcome } from '../../src/load/backends.js';
import type { ProbeDefinition } from '../../src/load/probe-definition.js';
import type { SkbTrace, TraceEvent } from '../../src/types.js';

/** A probe of the table by its name. */
export function probeNamed(name: string): ProbeDefinition {
  const found = PROBES.find((p) => p.name === name);
  if (!found) throw new Error(`the table has no probe '${name}'`);
  return found;
}

/** The probe as if it had been attached with its return value; `id` is what records carry. */
export function attached(definition: ProbeDefinition, id: number, returnType?: string): AttachOutcome {
  const isTracepoint = definition.tracepoint !== undefined;
  return {
    probe: {
      definition,
      id,
      target: definition.tracepoint ?? definition.symbols?.[0] ?? definition.name,
      isTracepoint,
      addresses: [],
      btf: null,
      skb: 0,
      a: 15,
      b: 15,
      sk: 15,
      wantReturn: !isTracepoint,
      returnType,
    },
    backend: isTracepoint ? 'tracepoint' : 'kprobe',
    hasReturn: !isTracepoint,
    failures: [],
  };
}

export function traceEvent(more: Partial<TraceEvent> = {}): TraceEvent {
  return { t: 4912183.252733, skb: 0, func: 'ip_rcv', stage: 'ip-in', cpu: 1, notes: [], ...more };
}

/** The trace of the design's example, an RST that is dropped in tcp_v4_rcv. */
export function skbTrace(more: Partial<SkbTrace> = {}): SkbTrace {
  return {
    v: 1,
    type: 'trace',
    id: '2a',
    skbs: ['ffff8880c22c8000', 'ffff8880c22c8c00'],
    proto: 'tcp',
    tuple: { saddr: '172.26.137.131', sport: 54321, daddr: '172.26.137.130', dport: 8000 },
    start: 4912183.252733,
    date: '2026-03-01T12:00:00.000100Z',
    durationUs: 61,
    complete: true,
    closed: 'freed',
    events: [],
    verdict: {
      outcome: 'unknown',
      cause: 'freed-without-sign',
      facts: [],
      text: 'it was freed, and nothing showed why',
      advice: [],
      evidence: [],
    },
    ...more,
  };
}
