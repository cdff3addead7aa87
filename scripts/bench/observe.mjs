// @ts-check
// Loaded into a process that is measured (NODE_OPTIONS=--import=...): what can only be seen from inside. Lines of JSON go
// to the file of NETTRACE_BENCH_OBSERVED: at each SIGUSR2 the longest time that the main thread did not come back to its
// event loop since the former one, at the exit the largest resident memory.
import { appendFileSync, readFileSync } from 'node:fs';
import { monitorEventLoopDelay } from 'node:perf_hooks';

const RESOLUTION_MS = 10;
const file = process.env.NETTRACE_BENCH_OBSERVED;
if (file) {
  const delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  delay.enable();
  /** @param {object} line */
  const say = (line) => appendFileSync(file, `${JSON.stringify(line)}\n`);
  process.on('SIGUSR2', () => {
    // a time from one look to the next, of which the pause between them is no stall
    say({ stallMs: Math.max(0, delay.max / 1e6 - RESOLUTION_MS) });
    delay.reset();
  });
  process.on('exit', () =>
    say({ peakKb: Number(/VmHWM:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]) }),
  );
}
