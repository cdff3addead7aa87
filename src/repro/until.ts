import { NettraceError } from '../errors.js';

const PATIENCE_MS = 30_000;
const POLL_MS = 5;

export interface UntilOptions {
  /** Milliseconds (default 30000). */
  timeoutMs?: number;
  /** Ends the waiting: the promise rejects. */
  signal?: AbortSignal | undefined;
  /** What is there in its place, for the message. */
  seen?: () => string;
}

/**
 * Waits until `test` gives something true, and returns it; asked every 5 ms, for facts that nothing announces. Throws
 * NettraceError with `what` where it does not come.
 */
export async function until<T>(
  what: string,
  test: () => T | Promise<T>,
  { timeoutMs = PATIENCE_MS, signal, seen }: UntilOptions = {},
): Promise<NonNullable<T>> {
  const end = performance.now() + timeoutMs;
  for (;;) {
    signal?.throwIfAborted();
    const value = await test();
    if (value) return value;
    if (performance.now() >= end)
      throw new NettraceError(`${what}: not within ${timeoutMs} ms${seen ? `; there is ${seen()}` : ''}`);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}
