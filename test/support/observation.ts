import { PROBES } from '../../src/generated/probes.js';
import type { Observation } from '../../src/repro/check.js';

/** What a session would have seen of a case in which nothing happened, with functions traced; and what is given. */
export function observation(more: Partial<Observation> = {}): Observation {
  return {
    version: [6, 12],
    traces: [],
    counter: () => undefined,
    sockets: [],
    connections: [],
    hosts: ['client', 'server'],
    isTraced: (name) => PROBES.some((probe) => probe.name === name),
    invisible: () => undefined,
    standIns: () => [],
    noFunctions: undefined,
    ...more,
  };
}
