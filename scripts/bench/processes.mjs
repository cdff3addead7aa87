// @ts-check
// What /proc tells of a running process.
import { readdirSync, readFileSync } from 'node:fs';
import { arch } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';

/** The addon's reader waits in poll(2) (on arm64 in ppoll), every other thread in epoll or for a futex. */
const POLL = arch() === 'arm64' ? '73' : '7';
/** Below this share of a CPU a process waits for something. */
const IDLE = 0.3;
const LOOK_MS = 50;
const LOOKS = 20;
const LONGEST_MS = 20_000;

/** @param {string} path */
function read(path) {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return ''; // a thread that has ended
  }
}

/** @param {number} pid @param {'VmRSS' | 'VmHWM'} field kB, now or at most */
export const memoryKb = (pid, field) =>
  Number(new RegExp(`${field}:\\s+(\\d+)`).exec(read(`/proc/${pid}/status`))?.[1] ?? 0);

/** Nanoseconds that a thread has run. @param {number} pid @param {string} thread */
const runtime = (pid, thread) => Number(read(`/proc/${pid}/task/${thread}/schedstat`).split(' ')[0] ?? 0);

/** @param {number} pid */
const children = (pid) => read(`/proc/${pid}/task/${pid}/children`).split(' ').filter(Boolean).map(Number);

/**
 * The thread that reads the ring buffer. Threads have no names of their own, so it is told by where it waits: to be called
 * while nothing comes. Undefined where none does.
 * @param {number} pid
 */
export async function readerThread(pid) {
  for (let look = 0; look < LOOKS; look++) {
    const threads = readdirSync(`/proc/${pid}/task`);
    const found = threads.find((thread) => read(`/proc/${pid}/task/${thread}/syscall`).startsWith(`${POLL} `));
    if (found) return found;
    // it looks at the ring buffer at times when nobody called
    await sleep(LOOK_MS / 10);
  }
  return undefined;
}

/**
 * CPU time so far, nanoseconds: the main thread, the reader (a thread, or a process that the main one has started), all others.
 * @param {number} pid
 * @param {string | undefined} reader
 */
export function cpuTimes(pid, reader) {
  const times = { main: 0, reader: 0, others: 0 };
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    const place = thread === String(pid) ? 'main' : thread === reader ? 'reader' : 'others';
    times[place] += runtime(pid, thread);
  }
  for (const child of children(pid)) times.reader += runtime(child, String(child));
  return times;
}

/** Does a thread run, or wait for a CPU or a disk? On a busy machine that takes no CPU time. @param {number} pid */
const isBusy = (pid) =>
  [pid, ...children(pid)].some((one) =>
    readdirSync(`/proc/${one}/task`).some((thread) => /\) [RD] /.test(read(`/proc/${one}/task/${thread}/stat`))),
  );

/** Waits until a process has nothing more to do; returns when that was, as performance.now(). @param {number} pid */
export async function untilIdle(pid) {
  const total = () => Object.values(cpuTimes(pid, undefined)).reduce((sum, ns) => sum + ns, 0);
  const begun = performance.now();
  let [at, before, quiet] = [begun, total(), 0];
  let since = begun;
  while (quiet < 2 && at - begun < LONGEST_MS) {
    await sleep(LOOK_MS);
    const [now, after] = [performance.now(), total()];
    if ((after - before) / 1e6 < IDLE * (now - at) && !isBusy(pid)) {
      if (quiet === 0) since = at;
      quiet++;
    } else quiet = 0;
    [at, before] = [now, after];
  }
  return quiet === 0 ? at : since;
}
