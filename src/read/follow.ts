import { closeSync, fstatSync, type Stats, statSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { UsageError } from '../errors.js';
import { rotatedName } from '../sinks/rotation.js';
import { type OpenFile, openToRead, readToEnd, type Source } from './sources.js';

const POLL_MS = 200;
/** As many as --rotate keeps. */
const MAX_ROTATED = 999;

function statOf(path: string): Stats | undefined {
  try {
    return statSync(path);
  } catch {
    return undefined;
  }
}

function isSame(a: Stats | undefined, b: Stats): boolean {
  return a !== undefined && a.ino === b.ino && a.dev === b.dev;
}

async function pause(signal: AbortSignal | undefined): Promise<void> {
  await sleep(POLL_MS, undefined, signal ? { signal } : {}).catch(() => {});
}

/** Under which number the file has been rotated away; undefined where it cannot be found. */
function rotatedTo(path: string, file: Stats): number | undefined {
  for (let number = 1; number <= MAX_ROTATED; number++) {
    const stat = statOf(rotatedName(path, number));
    if (!stat) return undefined;
    if (isSame(stat, file)) return number;
  }
  return undefined;
}

/**
 * The file that was begun when this one was full: by now it may be full as well. Undefined where it is not there yet.
 * While `former` is open its inode is nobody else's.
 */
function openSuccessor(path: string, former: Stats): OpenFile | undefined {
  const number = rotatedTo(path, former);
  const name = number === undefined || number === 1 ? path : rotatedName(path, number - 1);
  if (!statOf(name)) return undefined;
  const next = openToRead(name);
  // names may have moved on between the two looks
  if (rotatedTo(path, former) === number && !isSame(next.stat, former)) return next;
  closeSync(next.fd);
  return undefined;
}

class Follower {
  readonly #path: string;
  readonly #signal: AbortSignal | undefined;
  readonly #onCut: (message: string) => void;
  /** The file begins anew under the same inode. */
  #wasCut = false;

  constructor(path: string, signal: AbortSignal | undefined, onCut: (message: string) => void) {
    this.#path = path;
    this.#signal = signal;
    this.#onCut = onCut;
  }

  async *sources(): AsyncGenerator<Source, void, undefined> {
    let file = openToRead(this.#path);
    try {
      if (!file.stat.isFile()) {
        throw new UsageError(`'${this.#path}' cannot be followed: it is no regular file`, {
          advice: 'a pipe is read to its end without --follow',
        });
      }
      while (!this.#signal?.aborted) {
        this.#wasCut = false;
        yield { name: this.#path, bytes: this.#growing(file) };
        const next = this.#wasCut ? openToRead(this.#path) : await this.#successor(file.stat);
        if (!next) return;
        closeSync(file.fd);
        file = next;
      }
    } finally {
      closeSync(file.fd);
    }
  }

  /** The file's bytes until another one has its name. */
  async *#growing({ fd, stat }: OpenFile): AsyncGenerator<Uint8Array, void, undefined> {
    let position = 0;
    let isLast = false;
    for (;;) {
      for await (const chunk of readToEnd(fd, this.#path, this.#signal)) {
        position += chunk.length;
        yield chunk;
      }
      if (isLast || this.#signal?.aborted) return;
      if (fstatSync(fd).size < position) {
        this.#wasCut = true;
        this.#onCut('the file was emptied: read from its start again');
        return;
      }
      const now = statOf(this.#path);
      // what was written before it was renamed may have come after the last look
      if (now && !isSame(now, stat)) isLast = true;
      else await pause(this.#signal);
    }
  }

  async #successor(former: Stats): Promise<OpenFile | undefined> {
    while (!this.#signal?.aborted) {
      const next = openSuccessor(this.#path, former);
      if (next) return next;
      await pause(this.#signal);
    }
    return undefined;
  }
}

/**
 * A file that is being written, and what follows it when it is rotated away, in order. Ends when the signal comes.
 * Throws NettraceError where the file cannot be read, UsageError where it is no regular file.
 */
export function followFile(
  path: string,
  signal: AbortSignal | undefined,
  onCut: (message: string) => void,
): AsyncGenerator<Source, void, undefined> {
  return new Follower(path, signal, onCut).sources();
}
