import { closeSync, constants, fchmodSync, fstatSync, ftruncateSync, lstatSync, openSync, writeSync } from 'node:fs';
import { NettraceError, UsageError } from '../errors.js';
import type { Writer } from './stream-writer.js';

/**
 * Opens a file to write to, mode 0600 where it is made. A symbolic link, or a file, that another user owns is not followed
 * or written; links of one's own are. What is in the file is removed, unless it is to be kept. Throws UsageError.
 */
export function openOutputFile(path: string, { keep = false } = {}): number {
  const own = process.geteuid?.() ?? 0;
  let follow = false;
  try {
    const link = lstatSync(path);
    if (link.isSymbolicLink()) {
      if (link.uid !== own) {
        throw new UsageError(`'${path}' is a symbolic link of another user (uid ${link.uid}): not written`, {
          advice: 'choose another file',
        });
      }
      follow = true;
    }
  } catch (error) {
    if (error instanceof UsageError) throw error;
  }
  let fd: number;
  try {
    // no O_TRUNC: first see whose file it is
    fd = openSync(
      path,
      constants.O_WRONLY | constants.O_CREAT | constants.O_NONBLOCK | (follow ? 0 : constants.O_NOFOLLOW),
      0o600,
    );
  } catch (cause) {
    throw new UsageError(`cannot write '${path}': ${(cause as NodeJS.ErrnoException).code}`, { cause });
  }
  const stat = fstatSync(fd);
  if (stat.isFile()) {
    if (stat.uid !== own) {
      closeSync(fd);
      throw new UsageError(`'${path}' belongs to another user (uid ${stat.uid}): not written`, {
        advice: 'choose another file',
      });
    }
    fchmodSync(fd, 0o600);
    if (!keep) ftruncateSync(fd, 0);
  }
  return fd;
}

/** A pipe whose reader is slow is full now and then: wait for it. */
function writeSome(fd: number, bytes: Uint8Array, at: number): number {
  try {
    return writeSync(fd, bytes, at);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
    return 0;
  }
}

/** Writes whole blocks to a descriptor; what does not fit as a whole is taken back. */
export class FileWriter implements Writer {
  readonly closed = false;
  readonly #fd: number;
  readonly #path: string;
  #written = 0;

  constructor(fd: number, path: string) {
    this.#fd = fd;
    this.#path = path;
  }

  /** Bytes in the file. */
  get written(): number {
    return this.#written;
  }

  /** Throws NettraceError where the disk is full; the file then ends with the last whole block. */
  write(block: string | Uint8Array): void {
    const bytes = typeof block === 'string' ? Buffer.from(block) : block;
    let at = 0;
    try {
      while (at < bytes.length) at += writeSome(this.#fd, bytes, at);
      this.#written += bytes.length;
    } catch (cause) {
      try {
        if (fstatSync(this.#fd).isFile()) ftruncateSync(this.#fd, this.#written);
      } catch {}
      const { code } = cause as NodeJS.ErrnoException;
      throw new NettraceError(`cannot write '${this.#path}': ${code === 'ENOSPC' ? 'the disk is full' : code}`, {
        advice: `what is in the file is whole: ${this.#written} bytes`,
        cause,
      });
    }
  }

  close(): void {
    closeSync(this.#fd);
  }
}
