import { BpfError } from '#bpf-loader';
import { plainAddress } from '../decode/addresses.js';
import { NettraceError, UsageError } from '../errors.js';
import { NetnsFiles } from '../explain/netns-files.js';
import { currentNetnsInode, netnsInode } from '../load/netns.js';
import { processSockets } from '../load/owners.js';
import { dump, NetlinkError } from '../netlink/dump.js';
import { NetlinkFamily, type NetlinkSocket, withNetlink } from '../netlink/socket.js';
import type { InetSocket, Owner } from '../types.js';
import {
  AF_INET,
  AF_INET6,
  ALL_STATES,
  diagRequest,
  parseDiagMessage,
  SOCK_DIAG_BY_FAMILY,
  STATE_NAMES,
  stateBits,
} from './inet-diag.js';
import { SOCKET_PROTOS, type SocketProto } from './protos.js';

/** Which sockets. */
export interface ConnectionsOptions {
  /** Default: tcp. */
  proto?: SocketProto;
  /** Inode of a network namespace, a path to one, or a name below /run/netns; default: that of this process. */
  netns?: string;
  /** Names of TCP's states; default: all but LISTEN. */
  states?: readonly string[];
  /** Listeners only, with their queues. */
  listen?: boolean;
  /** Look for the processes that own the sockets (default true): that takes a look at all processes. */
  owners?: boolean;
}

const SYN_RECV_BIT = 1 << 3;
const LISTEN_BIT = 1 << 10;

function wantedStates({ states, listen, proto = 'tcp' }: ConnectionsOptions): number {
  if (proto !== 'tcp') {
    if (listen || states) throw new UsageError(`${proto} sockets have no states to choose from, and do not listen`);
    return ALL_STATES;
  }
  if (listen) {
    if (states) throw new UsageError('listeners have one state: give either states or listen');
    return LISTEN_BIT;
  }
  if (!states) return ALL_STATES & ~LISTEN_BIT;
  const bits = stateBits(states);
  if (bits === undefined || bits === 0)
    throw new UsageError(`states are of ${STATE_NAMES.join(', ')}, not '${states.join(',')}'`);
  return bits;
}

function isMissing(error: unknown): boolean {
  return error instanceof NetlinkError && ['ENOENT', 'EAFNOSUPPORT', 'EPROTONOSUPPORT'].includes(error.code);
}

interface ListChoice {
  proto: SocketProto;
  /** A bit for each. */
  states: number;
  files?: NetnsFiles;
  /** A machine may have hundreds of thousands: those that are not kept are not held. */
  keep?: (socket: InetSocket) => boolean;
}

async function listFamily(
  socket: NetlinkSocket,
  family: number,
  { proto, states, netns, keep }: ListChoice & { netns: number },
): Promise<InetSocket[]> {
  const request = {
    type: SOCK_DIAG_BY_FAMILY,
    payload: diagRequest(family, proto, states),
    what: `${proto} sockets`,
  };
  try {
    return await dump(socket, request, ({ type, payload }) => {
      if (type !== SOCK_DIAG_BY_FAMILY) return undefined;
      const parsed = parseDiagMessage(payload, proto, netns);
      return !keep || keep(parsed) ? parsed : undefined;
    });
  } catch (error) {
    // a kernel without IPv6 lists none
    if (family === AF_INET6 && isMissing(error)) return [];
    if (!isMissing(error)) throw error;
    throw new NettraceError(`this kernel does not list ${proto} sockets`, {
      advice: `it needs the module ${proto}_diag (CONFIG_INET_${proto.toUpperCase()}_DIAG)`,
      cause: error,
    });
  }
}

/** All sockets of a namespace in these states, IPv4 and IPv6. */
export async function listSockets(netns: number, choice: ListChoice): Promise<InetSocket[]> {
  const { files = new NetnsFiles() } = choice;
  const place = files.placeOf(netns);
  if (!place) throw new NettraceError(`there is no process in network namespace ${netns}, and no name for it`);
  try {
    return await withNetlink(NetlinkFamily.sockDiag, place, async (socket) => [
      ...(await listFamily(socket, AF_INET, { ...choice, netns })),
      ...(await listFamily(socket, AF_INET6, { ...choice, netns })),
    ]);
  } catch (cause) {
    if (!(cause instanceof BpfError)) throw cause;
    const advice = cause.code === 'EPERM' ? 'entering another network namespace takes CAP_SYS_ADMIN' : undefined;
    throw new NettraceError(`the sockets of network namespace ${netns} cannot be listed: ${cause.message}`, {
      ...(advice ? { advice } : {}),
      cause,
    });
  }
}

/** TCP sockets of a namespace that do not listen, as far as they are to be kept. */
export function listConnections(netns: number, keep: (socket: InetSocket) => boolean): Promise<InetSocket[]> {
  return listSockets(netns, { proto: 'tcp', states: ALL_STATES & ~LISTEN_BIT, keep });
}

function isAny(address: string): boolean {
  return address === '0.0.0.0' || address === '::';
}

/** How well a listener fits the local address of a request: the kernel takes the best. */
function howWell(listener: InetSocket, request: InetSocket): number {
  const { tuple } = listener;
  if (tuple.sport !== request.tuple.sport) return 0;
  if (plainAddress(tuple.saddr) === plainAddress(request.tuple.saddr)) return 3;
  if (!isAny(tuple.saddr)) return 0;
  const isV6 = (address: string) => plainAddress(address).includes(':');
  if (isV6(tuple.saddr) === isV6(request.tuple.saddr)) return 2;
  return tuple.saddr === '::' ? 1 : 0;
}

/** Fills in how many requests wait at each listener; the kernel counts them, and shows the count nowhere. */
export function fillSynQueues(listeners: readonly InetSocket[], requests: readonly InetSocket[]): void {
  for (const listener of listeners) listener.synQueue = 0;
  for (const request of requests) {
    const fits = listeners.map((listener) => howWell(listener, request));
    const best = Math.max(0, ...fits);
    const taken = listeners.filter((_, i) => best > 0 && fits[i] === best);
    const [only] = taken;
    if (taken.length === 1 && only?.synQueue !== undefined) only.synQueue++;
    else for (const listener of taken) delete listener.synQueue;
  }
}

export function fillSocketOwners(sockets: readonly InetSocket[]): void {
  const owners = new Map<number, Owner>();
  for (const { pid, comm, inodes } of processSockets())
    for (const inode of inodes) if (!owners.has(Number(inode))) owners.set(Number(inode), { pid, comm });
  for (const socket of sockets) {
    const owner = socket.inode === 0 ? undefined : owners.get(socket.inode);
    if (owner) socket.owner = owner;
  }
}

/**
 * The sockets of a network namespace, as the kernel lists them now: IPv4 and IPv6, half-open connections and those in
 * TIME_WAIT too. Rejects with UsageError for options that make no sense, and NettraceError where the namespace cannot be
 * entered or the kernel does not list such sockets.
 */
export async function connections(options: ConnectionsOptions = {}): Promise<InetSocket[]> {
  const { proto = 'tcp', owners = true, listen } = options;
  if (!SOCKET_PROTOS.includes(proto))
    throw new UsageError(`the protocol must be one of ${SOCKET_PROTOS.join(', ')}, not '${proto}'`);
  const states = wantedStates(options);
  const netns = options.netns === undefined ? currentNetnsInode() : netnsInode(options.netns);
  const files = new NetnsFiles();
  // requests show how long the SYN queues are
  const asked = states & LISTEN_BIT ? states | SYN_RECV_BIT : states;
  const found = await listSockets(netns, { proto, states: asked, files });
  const listeners = found.filter((socket) => socket.state === 'LISTEN');
  fillSynQueues(
    listeners,
    found.filter((socket) => socket.isRequest),
  );
  const sockets = listen
    ? listeners
    : found.filter((socket) => socket.state !== 'SYN_RECV' || Boolean(states & SYN_RECV_BIT));
  if (owners) fillSocketOwners(sockets);
  return sockets;
}
