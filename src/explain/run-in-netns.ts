import { spawnSync } from 'node:child_process';

/** Packets wait meanwhile. An emulated machine takes a second for what takes others some milliseconds. */
const TIMEOUT_MS = 10_000;
const MAX_BYTES = 4 << 20;

/** `text`: what it wrote; undefined where it failed, was killed, or took too long: `complaint` says why. */
export interface Answer {
  text: string | undefined;
  complaint: string;
}

/** Runs a command in a network namespace, null for our own. */
export type RunInNetns = (path: string | null, words: readonly string[]) => Answer;

export const runInNetns: RunInNetns = (path, words) => {
  const [command = '', ...rest] = path === null ? words : ['nsenter', `--net=${path}`, ...words];
  const { status, stdout, stderr, error } = spawnSync(command, rest, {
    encoding: 'utf8',
    timeout: TIMEOUT_MS,
    maxBuffer: MAX_BYTES,
    env: { ...process.env, LC_ALL: 'C' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const { code } = (error ?? {}) as NodeJS.ErrnoException;
  const known = { ETIMEDOUT: `no answer within ${TIMEOUT_MS / 1000} s`, ENOENT: `${command} is not installed` };
  const why = known[code as keyof typeof known] ?? error?.message;
  return { text: status === 0 && !error ? stdout : undefined, complaint: why ?? stderr };
};
