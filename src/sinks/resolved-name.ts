import { closeSync, constants, lstatSync, openSync, readlinkSync, realpathSync, type Stats, statfsSync } from 'node:fs';
import { join } from 'node:path';
import { UsageError } from '../errors.js';

/** include/uapi/asm-generic/fcntl.h: a directory may be walked through that may not be read. */
const O_PATH = 0o10000000;
/** linux/magic.h */
const PROC_SUPER_MAGIC = 0x9fa0;
/** As many as the kernel follows. */
const MAX_LINKS = 40;
const isLinux = process.platform === 'linux';

/**
 * A directory that is walked to name by name. It is held open where /proc leads from a descriptor to its names, so
 * that nobody can put another one in its place meanwhile.
 */
class Directory {
  /** What names are put behind. */
  readonly path: string;
  readonly #fd: number | undefined;

  constructor(path: string, { follow = false } = {}) {
    this.#fd = isLinux
      ? openSync(path, O_PATH | constants.O_DIRECTORY | (follow ? 0 : constants.O_NOFOLLOW))
      : undefined;
    this.path = this.#fd === undefined ? path : `/proc/self/fd/${this.#fd}`;
  }

  /** Links of /proc lead to what no path may lead to, and are the kernel's own. */
  get isProc(): boolean {
    return this.#fd !== undefined && statfsSync(this.path).type === PROC_SUPER_MAGIC;
  }

  close(): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
  }
}

/** Of this process; 0 where a system has no users in numbers. */
export function ownUid(): number {
  return process.geteuid?.() ?? 0;
}

/** What has the name, if anything. */
function lstat(path: string): Stats | undefined {
  return lstatSync(path, { throwIfNoEntry: false });
}

/** A name in a directory, with no link on the way to it. */
export class ResolvedName {
  readonly name: string;
  /** The name is a link of /proc itself, such as /dev/stdout leads to: opening it follows that. */
  readonly isProcLink: boolean;
  readonly #directory: Directory;

  constructor(directory: Directory, name: string, isProcLink: boolean) {
    this.#directory = directory;
    this.name = name;
    this.isProcLink = isProcLink;
  }

  /** The path of this name, or of another one beside it; good until `close()`. */
  path(name = this.name): string {
    return `${this.#directory.path}/${name}`;
  }

  /** As a user would write it. */
  shown(name: string): string {
    return join(realpathSync(this.#directory.path), name);
  }

  close(): void {
    this.#directory.close();
  }
}

/** Throws UsageError for a link that neither this user nor root has made. */
function checkLink({ uid }: Stats, path: string, name: string): void {
  if (uid === 0 || uid === ownUid()) return;
  const which = path === name ? `'${path}'` : `'${name}' on the way to '${path}'`;
  throw new UsageError(`${which} is a symbolic link of another user (uid ${uid}): not written`, {
    advice: 'choose another file',
  });
}

function namesOf(path: string): string[] {
  const names = path.split('/').filter((name) => name !== '');
  // as the kernel has it: what ends with a slash is a directory
  return path.endsWith('/') ? [...names, '.'] : names;
}

/**
 * Follows the links of a path one by one, each only where this user or root has made it: whoever may write one of the
 * directories cannot lead it elsewhere. The last name need not be there. Throws UsageError for a link of another user, and
 * the errors of node:fs.
 */
export function resolveName(path: string): ResolvedName {
  let directory = new Directory(path.startsWith('/') ? '/' : '.');
  const names = namesOf(path);
  let links = 0;
  const enter = (next: string, options?: { follow: boolean }) => {
    const entered = new Directory(next, options);
    directory.close();
    directory = entered;
  };
  try {
    for (;;) {
      const name = names.shift() ?? '.';
      const at = `${directory.path}/${name}`;
      const stat = lstat(at);
      const isLast = names.length === 0;
      if (!stat?.isSymbolicLink()) {
        if (isLast) return new ResolvedName(directory, name, false);
        enter(at);
        continue;
      }
      checkLink(stat, path, links === 0 && isLast ? path : name);
      if (directory.isProc) {
        if (isLast) return new ResolvedName(directory, name, true);
        enter(at, { follow: true });
        continue;
      }
      if (++links > MAX_LINKS) throw Object.assign(new Error('too many symbolic links'), { code: 'ELOOP' });
      const target = readlinkSync(at);
      names.unshift(...namesOf(target));
      if (target.startsWith('/')) enter('/');
    }
  } catch (error) {
    directory.close();
    throw error;
  }
}
