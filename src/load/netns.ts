import { readlinkSync, statSync } from 'node:fs';
import { UsageError } from '../errors.js';

/** Links below /proc say what kind of namespace they are: `mnt:[...]`. */
function isOtherKind(path: string): boolean {
  try {
    return !readlinkSync(path).startsWith('net:') && /^\/proc\//.test(path);
  } catch {
    return false; // no link: a file that ip netns has mounted
  }
}

/**
 * The inode of a network namespace: from its inode in digits, a path such as /proc/1/ns/net, or a name below /run/netns
 * (ip netns). Throws UsageError where there is none.
 */
export function netnsInode(text: string): number {
  if (/^\d+$/.test(text)) {
    const inode = Number(text);
    if (inode < 1 || inode > 0xffffffff) throw new UsageError(`'${text}' is not the inode of a network namespace`);
    return inode;
  }
  const isName = !text.includes('/');
  if (isName && (text === '' || text === '.' || text === '..'))
    throw new UsageError(`'${text}' names no network namespace`);
  const path = isName ? `/run/netns/${text}` : text;
  try {
    const stat = statSync(path);
    if (stat.dev === statSync('/proc/self/ns/net').dev && !isOtherKind(path)) return stat.ino;
  } catch (cause) {
    throw new UsageError(
      `there is no network namespace '${text}' (${path}: ${(cause as NodeJS.ErrnoException).code})`,
      {
        advice: 'give an inode, a path such as /proc/PID/ns/net, or a name that ip netns lists',
        cause,
      },
    );
  }
  throw new UsageError(`'${path}' is not a network namespace`, { advice: 'give a path such as /proc/PID/ns/net' });
}

export function currentNetnsInode(): number {
  return statSync('/proc/self/ns/net').ino;
}

/** What the option `netns` asks for: one inode, a list of them, or 0 for any. */
export function wantedNetns(netns: string | readonly string[] | undefined, isCurrent: boolean): number | number[] {
  if (typeof netns === 'string') return netnsInode(netns);
  if (netns) return [...new Set(netns.map(netnsInode))];
  return isCurrent ? currentNetnsInode() : 0;
}
