import { readdirSync, readFileSync, statSync } from 'node:fs';
import { BpfError, type NetnsOptions, readInNetns } from '#bpf-loader';

const OWN = '/proc/self/ns/net';
const INITIAL = '/proc/1/ns/net';
/** A look through all processes costs milliseconds on a busy machine: not more often than this, ms ... */
const SCAN_EVERY_MS = 1000;
/** ... and for a namespace that was not found, or not entered, not more often than this. */
const TRY_AGAIN_MS = 30_000;
const MAX_REFUSED = 10_000;
const MAX_BYTES = 64 << 10;

function listed(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}

function inodeOf(path: string): number | undefined {
  try {
    return statSync(path).ino;
  } catch {
    return undefined; // the process has ended, or is another user's
  }
}

/** Paths of all network namespaces that a name or a process leads to, by inode; names last longer than processes. */
export function scanNamespaces(): Map<number, string> {
  const found = new Map<number, string>();
  const paths = [
    ...listed('/run/netns').map((name) => `/run/netns/${name}`),
    ...listed('/proc')
      .filter((name) => /^\d+$/.test(name))
      .map((pid) => `/proc/${pid}/ns/net`),
  ];
  for (const path of paths) {
    const inode = inodeOf(path);
    if (inode !== undefined && !found.has(inode)) found.set(inode, path);
  }
  return found;
}

/** Reads files as network namespaces show them: their own directories below /proc/sys/net and /proc/thread-self/net. */
export class NetnsFiles {
  readonly #own: number | undefined = inodeOf(OWN);
  #paths = new Map<number, string>();
  /** Namespaces that could not be read, and when that was. */
  readonly #refused = new Map<number, number>();
  #scannedAt = Number.NEGATIVE_INFINITY;

  /** The file's text; undefined where the namespace cannot be found or entered, or has no such file. */
  read(netns: number, file: string): string | undefined {
    if (netns === this.#own) return readOwn(file);
    const path = this.#pathOf(netns);
    if (!path) return undefined;
    try {
      return readInNetns(path, file, { inode: netns, maxBytes: MAX_BYTES }).toString('utf8');
    } catch (error) {
      if (!(error instanceof BpfError)) throw error;
      if (error.target !== path) return undefined;
      this.#paths.delete(netns);
      if (error.code === 'EACCES' || error.code === 'EPERM') {
        this.#refuse(netns);
        return undefined;
      }
      // the process that led there has ended: another may lead there, too, which is looked for once a second
      return this.read(netns, file);
    }
  }

  /** How to get into the namespace; undefined where nothing leads there. */
  placeOf(netns: number): NetnsOptions | undefined {
    if (netns === this.#own) return {};
    const path = this.#pathOf(netns);
    return path === undefined ? undefined : { netns: path, inode: netns };
  }

  /** As the machine's first network namespace has it: what is there only is the whole machine's. */
  readInitial(file: string): string | undefined {
    const inode = inodeOf(INITIAL);
    return inode === undefined ? undefined : this.read(inode, file);
  }

  /** A path that leads to the namespace; null for this process's own, undefined where none is known. */
  pathTo(netns: number): string | null | undefined {
    return netns === this.#own ? null : this.#pathOf(netns);
  }

  #pathOf(netns: number): string | undefined {
    const known = this.#paths.get(netns);
    const now = performance.now();
    if (known || now - this.#scannedAt < SCAN_EVERY_MS) return known;
    if (now - (this.#refused.get(netns) ?? Number.NEGATIVE_INFINITY) < TRY_AGAIN_MS) return undefined;
    this.#scannedAt = now;
    this.#paths = scanNamespaces();
    const found = this.#paths.get(netns);
    if (!found) this.#refuse(netns);
    return found;
  }

  #refuse(netns: number): void {
    if (this.#refused.size >= MAX_REFUSED) this.#refused.clear();
    this.#refused.set(netns, performance.now());
  }
}

/** A file of this process's own namespace, or one that is the same in all. */
export function readOwn(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}
