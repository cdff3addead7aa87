/** The library: `import { trace } from 'nettrace'`. */
export { NettraceError, UsageError } from './errors.js';
export type { FilterProto, TraceOptions } from './options.js';
export { type AttachReport, type TraceRun, type TraceStatistics, trace } from './trace.js';
export type * from './types.js';
