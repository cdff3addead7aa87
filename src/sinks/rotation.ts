import { fstatSync, lstatSync, realpathSync, renameSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { NettraceError, UsageError } from '../errors.js';
import { FileWriter, openOutputFile } from './output-file.js';
import type { Writer } from './stream-writer.js';

/** When a file is full, and how many full ones are kept. */
export interface Rotation {
  /** Bytes on the disk, compressed where the file is. */
  bytes: number;
  count: number;
}

const DEFAULT_COUNT = 9;
const MAX_COUNT = 999;
const MIN_BYTES = 4096;
const UNITS: Readonly<Record<string, number>> = { '': 1, K: 2 ** 10, M: 2 ** 20, G: 2 ** 30 };

/** `SIZE[,COUNT]`, as in `100M,5`. Throws UsageError. */
export function parseRotation(text: string): Rotation {
  const [, number = '', unit = '', countText] = /^(\d+)([KMG]?)(?:,(\d+))?$/i.exec(text) ?? [];
  const bytes = Number(number) * (UNITS[unit.toUpperCase()] ?? 1);
  if (number === '' || bytes < MIN_BYTES || !Number.isSafeInteger(bytes)) {
    throw new UsageError(`rotation takes SIZE[,COUNT] with a size of at least 4K, not '${text}'`, {
      advice: 'such as 100M, or 1G,5 to keep five full files',
    });
  }
  const count = countText === undefined ? DEFAULT_COUNT : Number(countText);
  if (count < 1 || count > MAX_COUNT) {
    throw new UsageError(`rotation keeps 1 to ${MAX_COUNT} files, not '${countText}'`);
  }
  return { bytes, count };
}

/**
 * The name that a full file gets: `t.ndjson.1`, and `t.ndjson.1.gz` where it is compressed, because the tools for such
 * files (gunzip, zless) know them by the end of their names.
 */
export function rotatedName(path: string, number: number): string {
  const [, stem = path, ending = ''] = /^(.*?)(\.gz|\.zst)?$/s.exec(path) ?? [];
  return `${stem}.${number}${ending}`;
}

/** Is there a regular file of the own user? Throws UsageError where something else has the name: it would be replaced. */
function isOwnFile(path: string): boolean {
  let stat: ReturnType<typeof lstatSync>;
  try {
    stat = lstatSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  }
  const own = process.geteuid?.() ?? stat.uid;
  if (stat.isFile() && stat.uid === own) return true;
  const what = stat.isFile() ? `belongs to another user (uid ${stat.uid})` : 'is no regular file';
  throw new UsageError(`'${path}' ${what}: not replaced by --rotate`, { advice: 'choose another file' });
}

/**
 * A file that is renamed to FILE.1 when it is full, FILE.1 to FILE.2 and so on; the one with the highest number goes.
 * Blocks are never split: a file is larger than the limit only where a single block is. What is in FILE at the start is
 * the first to be renamed. Every name that is replaced must be a regular file of the own user.
 */
export class RotatingFile implements Writer {
  readonly closed = false;
  readonly #path: string;
  readonly #rotation: Rotation;
  #file: FileWriter;

  /** Throws UsageError where one of the files may not be written. */
  constructor(path: string, rotation: Rotation) {
    const fd = openOutputFile(path, { keep: true });
    this.#file = new FileWriter(fd, path);
    this.#rotation = rotation;
    try {
      const stat = fstatSync(fd);
      if (!stat.isFile()) throw new UsageError(`'${path}' is no regular file: it cannot be rotated`);
      // a link of one's own stays: what it points to is rotated, there
      this.#path = join(realpathSync(dirname(path)), basename(path));
      if (lstatSync(path).isSymbolicLink()) this.#path = realpathSync(path);
      this.#checkTargets();
      if (stat.size > 0) this.#rotate();
    } catch (error) {
      this.#file.close();
      throw error;
    }
  }

  /** Throws NettraceError where it cannot be written or renamed; what was written before stays. */
  write(block: string | Uint8Array): void {
    const size = typeof block === 'string' ? Buffer.byteLength(block) : block.length;
    if (this.#file.written > 0 && this.#file.written + size > this.#rotation.bytes) this.#rotate();
    this.#file.write(block);
  }

  close(): void {
    this.#file.close();
  }

  #checkTargets(): boolean[] {
    return Array.from({ length: this.#rotation.count }, (_, i) => isOwnFile(rotatedName(this.#path, i + 1)));
  }

  #rotate(): void {
    try {
      const there = this.#checkTargets();
      // up to the first gap: what is behind it need not move
      const gap = there.indexOf(false);
      const last = gap < 0 ? this.#rotation.count - 1 : gap;
      for (let i = last; i >= 1; i--) renameSync(rotatedName(this.#path, i), rotatedName(this.#path, i + 1));
      renameSync(this.#path, rotatedName(this.#path, 1));
    } catch (cause) {
      if (cause instanceof NettraceError) throw cause;
      throw new NettraceError(`cannot rotate '${this.#path}': ${(cause as NodeJS.ErrnoException).code}`, {
        advice: 'what was written is whole',
        cause,
      });
    }
    const full = this.#file;
    this.#file = new FileWriter(openOutputFile(this.#path), this.#path);
    full.close();
  }
}
