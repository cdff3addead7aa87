import { fstatSync, lstatSync, renameSync } from 'node:fs';
import { NettraceError, UsageError } from '../errors.js';
import { whyNot } from '../file-errors.js';
import { FileWriter, openResolved, resolveOutput } from './output-file.js';
import { ownUid, type ResolvedName } from './resolved-name.js';
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
function isOwnFile(place: ResolvedName, name: string): boolean {
  const stat = lstatSync(place.path(name), { throwIfNoEntry: false });
  if (!stat) return false;
  if (stat.isFile() && stat.uid === ownUid()) return true;
  const what = stat.isFile() ? `belongs to another user (uid ${stat.uid})` : 'is no regular file';
  throw new UsageError(`'${place.shown(name)}' ${what}: not replaced by --rotate`, { advice: 'choose another file' });
}

/**
 * A file that is renamed to FILE.1 when it is full, FILE.1 to FILE.2 and so on; the one with the highest number goes.
 * Blocks are never split: a file is larger than the limit only where a single block is. What is in FILE at the start is
 * the first to be renamed. Every name that is replaced must be a regular file of the own user.
 */
export class RotatingFile implements Writer {
  readonly closed = false;
  readonly #path: string;
  readonly #place: ResolvedName;
  readonly #rotation: Rotation;
  #file: FileWriter;

  /** Throws UsageError where one of the files may not be written, NettraceError where it cannot. */
  constructor(path: string, rotation: Rotation) {
    this.#path = path;
    this.#rotation = rotation;
    // a link of one's own stays: what it points to is rotated, there
    this.#place = resolveOutput(path);
    let file: FileWriter | undefined;
    try {
      const fd = openResolved(this.#place, path, { keep: true });
      file = new FileWriter(fd, `'${path}'`);
      this.#file = file;
      const stat = fstatSync(fd);
      if (!stat.isFile() || this.#place.isProcLink)
        throw new UsageError(`'${path}' is no regular file: it cannot be rotated`);
      this.#checkTargets();
      if (stat.size > 0) this.#rotate();
    } catch (error) {
      file?.close();
      this.#place.close();
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
    this.#place.close();
  }

  #rotatedName(number: number): string {
    return rotatedName(this.#place.name, number);
  }

  #checkTargets(): boolean[] {
    return Array.from({ length: this.#rotation.count }, (_, i) => isOwnFile(this.#place, this.#rotatedName(i + 1)));
  }

  #rename(from: string, to: string): void {
    renameSync(this.#place.path(from), this.#place.path(to));
  }

  #rotate(): void {
    try {
      const there = this.#checkTargets();
      // up to the first gap: what is behind it need not move
      const gap = there.indexOf(false);
      const last = gap < 0 ? this.#rotation.count - 1 : gap;
      for (let i = last; i >= 1; i--) this.#rename(this.#rotatedName(i), this.#rotatedName(i + 1));
      this.#rename(this.#place.name, this.#rotatedName(1));
    } catch (cause) {
      if (cause instanceof NettraceError) throw cause;
      throw new NettraceError(`cannot rotate '${this.#path}': ${whyNot(cause)}`, {
        advice: 'what was written is whole',
        cause,
      });
    }
    const full = this.#file;
    this.#file = new FileWriter(openResolved(this.#place, this.#path), `'${this.#path}'`);
    full.close();
  }
}
