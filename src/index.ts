/** The library: `import { trace } from 'nettrace'`. */

export { leftovers } from './connections/leftovers.js';
export { type ConnectionsOptions, connections } from './connections/list.js';
export { type CounterReading, counters, countersMoved } from './counters/index.js';
export type * from './diff-types.js';
export { NettraceError, UsageError } from './errors.js';
export type { TraceOptions } from './options.js';
export type { FilterProto } from './protocols.js';
export { type ReadOptions, type ReadProblem, readTraces } from './read/read-traces.js';
export { type AttachReport, type TraceRun, type TraceStatistics, trace } from './trace.js';
export type * from './types.js';
