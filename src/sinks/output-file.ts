import {
  accessSync,
  closeSync,
  constants,
  fchmodSync,
  fstatSync,
  ftruncateSync,
  lstatSync,
  openSync,
  type Stats,
  writeSync,
} from 'node:fs';
import { NettraceError, UsageError } from '../errors.js';
import { whyNot } from '../file-errors.js';
import { ownUid, type ResolvedName, resolveName } from './resolved-name.js';
import type { Writer } from './stream-writer.js';

/** The descriptor of standard output. */
export const STDOUT = 1;

const ADVICE: Readonly<Record<string, string>> = {
  EACCES: 'choose a file that you may write',
  EISDIR: 'give the name of a file in it',
  ENOENT: 'make the directory first, or choose another file',
  ENXIO: 'start first what is to read from it',
  EROFS: 'choose another file',
};

function cannotOpen(path: string, cause: unknown): NettraceError {
  const { code = '' } = cause as NodeJS.ErrnoException;
  // the file itself need not be there
  const why =
    code === 'ENOENT' ? 'there is no such directory' : code === 'ENXIO' ? 'nothing reads from it' : whyNot(cause);
  const advice = ADVICE[code];
  return new NettraceError(`cannot write '${path}': ${why}`, { ...(advice ? { advice } : {}), cause });
}

/**
 * Finds the place of a file to write to, which need not be there. Throws UsageError where a symbolic link of another user
 * would be followed, and NettraceError where there is no way to it.
 */
export function resolveOutput(path: string): ResolvedName {
  if (path === '') throw new UsageError("a file to write to needs a name, not ''");
  try {
    return resolveName(path);
  } catch (error) {
    throw error instanceof NettraceError ? error : cannotOpen(path, error);
  }
}

function openOwn(place: ResolvedName, path: string): { fd: number; stat: Stats } {
  let fd: number;
  try {
    // no O_TRUNC: first see whose file it is
    fd = openSync(
      place.path(),
      constants.O_WRONLY | constants.O_CREAT | constants.O_NONBLOCK | (place.isProcLink ? 0 : constants.O_NOFOLLOW),
      0o600,
    );
  } catch (cause) {
    throw cannotOpen(path, cause);
  }
  const stat = fstatSync(fd);
  if (stat.isFile() && stat.uid !== ownUid()) {
    closeSync(fd);
    throw new UsageError(`'${path}' belongs to another user (uid ${stat.uid}): not written`, {
      advice: 'choose another file',
    });
  }
  return { fd, stat };
}

/** As `openOutputFile`, where the place is known; `path`: what messages call it. */
export function openResolved(place: ResolvedName, path: string, { keep = false } = {}): number {
  const { fd, stat } = openOwn(place, path);
  if (stat.isFile()) {
    fchmodSync(fd, 0o600);
    if (!keep) ftruncateSync(fd, 0);
  }
  return fd;
}

/** Throws what `openOutputFile` would throw now, and changes nothing: what is in the file stays, and none is made. */
export function checkOutputFile(path: string): void {
  const place = resolveOutput(path);
  try {
    const stat = lstatSync(place.path(), { throwIfNoEntry: false });
    if (!stat) accessSync(place.path('.'), constants.W_OK);
    // a pipe that is opened and closed again has ended for who reads it
    else if (stat.isFile() || stat.isDirectory()) closeSync(openOwn(place, path).fd);
  } catch (error) {
    throw error instanceof NettraceError ? error : cannotOpen(path, error);
  } finally {
    place.close();
  }
}

/**
 * Opens a file to write to, mode 0600 where it is made. A symbolic link of another user but root is not followed, wherever
 * on the way it is, and a file of another user is not written. What is in the file is removed, unless it is to be
 * kept. Throws UsageError for what belongs to others, NettraceError where it cannot be opened.
 */
export function openOutputFile(path: string, options: { keep?: boolean } = {}): number {
  const place = resolveOutput(path);
  try {
    return openResolved(place, path, options);
  } finally {
    place.close();
  }
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

/** Writes whole blocks at the end of what a descriptor leads to; what does not fit as a whole is taken back. */
export class FileWriter implements Writer {
  readonly closed = false;
  readonly #fd: number;
  readonly #name: string;
  #written = 0;

  /** `name`: what messages call it. */
  constructor(fd: number, name: string) {
    this.#fd = fd;
    this.#name = name;
  }

  /** Bytes that this writer wrote. */
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
      const whole = this.#takeBack(at);
      throw new NettraceError(`cannot write ${this.#name}: ${whyNot(cause)}`, {
        ...(whole === undefined ? {} : { advice: `what is in the file is whole: ${whole} bytes` }),
        cause,
      });
    }
  }

  close(): void {
    closeSync(this.#fd);
  }

  /** The last so many bytes. Returns the size of the file, if it is one. */
  #takeBack(bytes: number): number | undefined {
    try {
      const stat = fstatSync(this.#fd);
      if (!stat.isFile()) return undefined;
      ftruncateSync(this.#fd, stat.size - bytes);
      return stat.size - bytes;
    } catch {
      return undefined;
    }
  }
}

/** Standard output that is a file. It stays open: it is not this program's. */
export class StandardOutputFile extends FileWriter {
  constructor() {
    super(STDOUT, 'standard output');
  }

  override close(): void {}
}
