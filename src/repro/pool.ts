/**
 * Runs tasks, at most `width` at a time, and gives their results as they come. Where one rejects, or the loop is left, `stop` is
 * called, what is running is waited for, and results that nobody takes any more go to `discard`.
 */
export async function* runPool<T>(
  tasks: readonly (() => Promise<T>)[],
  width: number,
  stop: () => void,
  discard: (value: T) => Promise<void> = async () => {},
): AsyncGenerator<T, void, undefined> {
  const waiting = [...tasks];
  const running = new Map<number, Promise<{ id: number; value: T }>>();
  let started = 0;
  try {
    while (waiting.length > 0 || running.size > 0) {
      for (let task = waiting[0]; task && running.size < width; task = waiting[0]) {
        waiting.shift();
        const id = started++;
        const one = task().then((value) => ({ id, value }));
        one.catch(() => {}); // the race tells of the first, and the others are only waited for
        running.set(id, one);
      }
      const { id, value } = await Promise.race(running.values());
      running.delete(id);
      yield value;
    }
  } finally {
    if (running.size > 0) stop();
    const ended = await Promise.allSettled(running.values());
    for (const one of ended) if (one.status === 'fulfilled') await discard(one.value.value);
  }
}
