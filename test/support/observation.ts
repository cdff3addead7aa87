import type { Observation } from '../../src/repro/expectations.js';

/** What a session would have seen of a case in which nothing happened, with functions traced; and what is given. */
export function observation(more: Partial<Observation> = {}): Observation {
  return {
    version: [6, 12],
    traces: [],
    counter: () => undefined,
    sockets: [],
    connections: [],
    invisible: () => undefined,
    standIns: () => [],
    noFunctions: undefined,
    ...more,
  };
}
