import { expect, it } from 'vitest';
import { checkShapes } from '../../src/option-shapes.js';
import type { TraceOptions } from '../../src/options.js';

it.each<TraceOptions>([
  { proto: 'tcp' },
  { proto: 132 },
  { netns: 'blue' },
  { netns: ['blue', '4026531833'] },
  { port: [80, '8000-8010'] },
  { pktLen: '100-200', pid: 7 },
  { signal: AbortSignal.abort() },
  { onWarning: () => {} },
])('takes %j: each form that the type has', (options) => {
  expect(() => checkShapes(options)).not.toThrow();
});
