import { BpfError, type NetnsOptions, NetnsSocket } from '#bpf-loader';
import { NettraceError } from '../errors.js';
import type { NetlinkChannel } from './dump.js';

const AF_NETLINK = 16;
const SOCK_RAW = 3;
const MSG_TRUNC = 0x20;
const SOL_SOCKET = 1;
const SO_RCVBUFFORCE = 33;
/** include/uapi/asm-generic/socket.h, from 5.14 on. */
const SO_NETNS_COOKIE = 71;
/** The kernel makes datagrams of at most 32 KiB for lists (netlink_dump() in net/netlink/af_netlink.c). */
const MAX_DATAGRAM = 64 << 10;
const RECEIVE_BUFFER = 4 << 20;
/** A list is answered at once; an emulated machine takes its time. */
const ANSWER_MS = 20_000;

/** NETLINK_... of include/uapi/linux/netlink.h. */
export const NetlinkFamily = { route: 0, sockDiag: 4 } as const;

/** A netlink socket inside of a network namespace. */
export class NetlinkSocket implements NetlinkChannel {
  readonly #socket: NetnsSocket;

  /** Throws BpfError where the namespace cannot be entered, or the kernel has no such family. */
  constructor(family: number, place: NetnsOptions) {
    this.#socket = NetnsSocket.open(AF_NETLINK, SOCK_RAW, family, place);
    try {
      this.#socket.setOption(SOL_SOCKET, SO_RCVBUFFORCE, RECEIVE_BUFFER);
    } catch {
      // without CAP_NET_ADMIN of the machine's first user namespace: the default does, lists come in steps
    }
  }

  async send(request: Buffer): Promise<void> {
    while (this.#socket.send(request) === undefined) await this.#wait('write');
  }

  async receive(): Promise<Buffer> {
    for (;;) {
      const message = this.#socket.receive(MAX_DATAGRAM, MSG_TRUNC);
      if (!message) {
        await this.#wait('read');
        continue;
      }
      if (message.length > message.data.length)
        throw new NettraceError(`the kernel's answer (netlink) has ${message.length} bytes, more than are read`);
      // struct sockaddr_nl: only the kernel has the port 0
      if (message.from.length >= 8 && message.from.readUInt32LE(4) === 0) return message.data;
    }
  }

  /** Of the namespace: no other has had it since the machine started. Undefined where the kernel has none (before 5.14). */
  get netnsCookie(): bigint | undefined {
    try {
      return this.#socket.getOption(SOL_SOCKET, SO_NETNS_COOKIE, 8).readBigUInt64LE();
    } catch (error) {
      if (error instanceof BpfError && error.code === 'ENOPROTOOPT') return undefined;
      throw error;
    }
  }

  async #wait(what: 'read' | 'write'): Promise<void> {
    if (!(await this.#socket.wait(what, ANSWER_MS)))
      throw new NettraceError(`the kernel did not answer (netlink) within ${ANSWER_MS / 1000} seconds`);
  }

  close(): void {
    this.#socket.close();
  }
}

/** Opens a netlink socket for the time of `body`. */
export async function withNetlink<T>(
  family: number,
  place: NetnsOptions,
  body: (socket: NetlinkSocket) => Promise<T>,
): Promise<T> {
  const socket = new NetlinkSocket(family, place);
  try {
    return await body(socket);
  } finally {
    socket.close();
  }
}
