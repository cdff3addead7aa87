/** Reading without tracing: `import { readTraces } from 'nettrace/read'` runs anywhere, without the addon. */
export { NettraceError, UsageError } from '../errors.js';
export type * from '../types.js';
export { type ReadOptions, type ReadProblem, readTraces } from './read-traces.js';
