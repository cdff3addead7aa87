import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

export interface ProcessSockets {
  pid: number;
  comm: string;
  /** Inodes of its sockets. */
  inodes: bigint[];
}

function entries(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return []; // it has ended, or belongs to somebody else
  }
}

function socketInodes(pid: string): bigint[] {
  const inodes: bigint[] = [];
  for (const fd of entries(`/proc/${pid}/fd`)) {
    try {
      const inode = /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${fd}`))?.[1];
      if (inode) inodes.push(BigInt(inode));
    } catch {} // closed meanwhile
  }
  return inodes;
}

/** Which process holds which sockets now, as `ss -p` finds it. A socket that several hold is the first one's. */
export function processSockets(): ProcessSockets[] {
  const found: ProcessSockets[] = [];
  for (const pid of entries('/proc')) {
    if (!/^\d+$/.test(pid)) continue;
    const inodes = socketInodes(pid);
    if (inodes.length === 0) continue;
    try {
      found.push({ pid: Number(pid), comm: readFileSync(`/proc/${pid}/comm`, 'utf8').trimEnd(), inodes });
    } catch {}
  }
  return found;
}
