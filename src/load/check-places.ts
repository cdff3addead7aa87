import { statSync } from 'node:fs';
import { BpfError, readInNetns } from '#bpf-loader';
import { UsageError } from '../errors.js';
import { NetnsFiles, readOwn } from '../explain/netns-files.js';
import type { TraceOptions } from '../options.js';
import { wantedNetns } from './netns.js';

/** The smallest of a namespace: MNT_NS_INIT_INO of linux/nsfs.h (6.18); before, all were from PROC_DYNAMIC_FIRST on, which is 8 more. */
const FIRST_INODE = 0xef_ff_ff_f8;

const INTERFACES = '/proc/thread-self/net/dev';
/** Tens of thousands of interfaces. */
const MAX_LIST_BYTES = 8 << 20;

/** Processes of others are seen by whoever may look at the first one. */
function seesAllProcesses(): boolean {
  try {
    return statSync('/proc/1/ns/net').ino > 0;
  } catch {
    return false;
  }
}

function checkNamespaces(netns: readonly string[], files: NetnsFiles): void {
  const inodes = netns.filter((text) => /^\d+$/.test(text)).map(Number);
  const missing = inodes.find((inode) => inode < FIRST_INODE || (!files.placeOf(inode) && seesAllProcesses()));
  if (missing === undefined) return;
  throw new UsageError(`there is no network namespace with the inode ${missing}: no process and no name leads to it`, {
    advice: 'lsns -t net lists them; --force takes one that is hidden from here, as in another container',
  });
}

/** As a namespace lists its interfaces; undefined where nothing leads to it, or it may not be entered. */
function interfaceList(inode: number, files: NetnsFiles): string | undefined {
  const place = files.placeOf(inode);
  if (!place) return undefined;
  const { netns } = place;
  if (netns === undefined) return readOwn(INTERFACES);
  try {
    return readInNetns(netns, INTERFACES, { inode, maxBytes: MAX_LIST_BYTES }).toString();
  } catch (error) {
    if (!(error instanceof BpfError)) throw error;
    return undefined;
  }
}

/** True also where it cannot be said. To ask for an interface by name would have the kernel load a module of that name. */
function hasInterface(inode: number, name: string, files: NetnsFiles): boolean {
  const list = interfaceList(inode, files);
  return list === undefined || list.split('\n').some((line) => line.trimStart().startsWith(`${name}:`));
}

function checkInterface(name: string, netns: TraceOptions['netns'], files: NetnsFiles): void {
  const inodes = [wantedNetns(netns, true)].flat();
  if (inodes.length === 0 || inodes.some((inode) => hasInterface(inode, name, files))) return;
  if (netns === undefined) {
    throw new UsageError(`there is no interface '${name}' in this network namespace`, {
      advice: 'ip link lists them; for an interface of another namespace give --netns too',
    });
  }
  throw new UsageError(`there is no interface '${name}' in the network namespace ${[netns].flat().join(', ')}`, {
    advice: 'ip -n NAME link lists those of a namespace with a name, nsenter --net=PATH ip link those of any',
  });
}

/** Throws UsageError for a namespace or an interface that is not there: nothing would ever be shown. */
export function checkPlaces(options: TraceOptions): void {
  const files = new NetnsFiles();
  checkNamespaces([options.netns ?? []].flat(), files);
  if (options.ifname !== undefined) checkInterface(options.ifname, options.netns, files);
}
