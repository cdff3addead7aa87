import { formatIpv4, formatIpv6 } from '../decode/addresses.js';
import { tcpStateName } from '../decode/names.js';
import { needBytes, readAttributes } from '../netlink/messages.js';
import type { InetSocket, SocketMemory } from '../types.js';
import type { SocketProto } from './protos.js';
import { tcpDetails } from './tcp-info.js';

/** include/uapi/linux/sock_diag.h */
export const SOCK_DIAG_BY_FAMILY = 20;

export const AF_INET = 2;
export const AF_INET6 = 10;
/** For raw sockets IPPROTO_RAW stands for all protocols (raw_diag_handler in net/ipv4/raw_diag.c). */
const IP_PROTOCOLS: Readonly<Record<SocketProto, number>> = { tcp: 6, udp: 17, raw: 255 };

/** include/uapi/linux/inet_diag.h: the attributes that are asked for. */
const Attribute = { info: 2, skMemInfo: 7, protocol: 10 } as const;
const LISTEN = 10;
const ESTABLISHED = 1;
const SYN_RECV = 3;
/** All states; the kernel lists requests (NEW_SYN_RECV) as SYN_RECV. */
export const ALL_STATES = 0xfff;
/** idiag_timer, as inet_sk_diag_fill() sets it; ss(8) has the same names. */
const TIMERS = ['off', 'on', 'keepalive', 'timewait', 'persist'];

const REQUEST_BYTES = 56;
/** struct inet_diag_msg: 4 bytes, struct inet_diag_sockid (48), 5 numbers. */
const MESSAGE_BYTES = 72;

/** struct inet_diag_req_v2: all sockets of a family and protocol in these states, a bit for each. */
export function diagRequest(family: number, proto: SocketProto, states: number): Buffer {
  const request = Buffer.alloc(REQUEST_BYTES);
  request[0] = family;
  request[1] = IP_PROTOCOLS[proto];
  request[2] = (1 << (Attribute.info - 1)) | (1 << (Attribute.skMemInfo - 1));
  request.writeUInt32LE(states >>> 0, 4);
  // no cookie: INET_DIAG_NOCOOKIE
  request.fill(0xff, 48, 56);
  return request;
}

/** Bits of the states with these names; undefined for a name that is none. */
export function stateBits(names: readonly string[]): number | undefined {
  let bits = 0;
  for (const name of names) {
    const state = STATE_NUMBERS.get(name.toUpperCase().replaceAll('-', '_'));
    if (state === undefined) return undefined;
    bits |= 1 << state;
  }
  return bits;
}

const STATE_NUMBERS: ReadonlyMap<string, number> = new Map(
  Array.from({ length: 11 }, (_, i) => [tcpStateName(i + 1) ?? '', i + 1]),
);
export const STATE_NAMES: readonly string[] = [...STATE_NUMBERS.keys()];

function memoryOf(bytes: Buffer | undefined): SocketMemory | undefined {
  // SK_MEMINFO_VARS of include/uapi/linux/sock_diag.h: the first eight are in all kernels from 4.7 on
  if (!bytes || bytes.length < 32) return undefined;
  const at = (i: number) => bytes.readUInt32LE(4 * i);
  const memory: SocketMemory = {
    receive: at(0),
    receiveLimit: at(1),
    send: at(2),
    sendLimit: at(3),
    forwardAlloc: at(4) | 0,
    queued: at(5),
    options: at(6),
    backlog: at(7),
  };
  if (bytes.length >= 36) memory.drops = at(8);
  return memory;
}

/**
 * A socket of one message of the list (struct inet_diag_msg and attributes). Addresses and ports are the socket's own
 * first. Throws NettraceError where the message is too short.
 */
export function parseDiagMessage(payload: Buffer, proto: SocketProto, netns: number): InetSocket {
  needBytes(payload, MESSAGE_BYTES, 'a socket');
  const family = payload[0];
  const state = payload[1] ?? 0;
  const address = (at: number) =>
    family === AF_INET6 ? formatIpv6(payload.subarray(at, at + 16)) : formatIpv4(payload.subarray(at, at + 4));
  const [port, peerPort] = [payload.readUInt16BE(4), payload.readUInt16BE(6)];
  const attributes = readAttributes(payload.subarray(MESSAGE_BYTES));
  const socket: InetSocket = {
    v: 1,
    type: 'inet-socket',
    netns,
    proto,
    // a datagram's socket has a state only with a peer: TCP's word for none would say that it is closed
    state: proto === 'tcp' || state === ESTABLISHED ? (tcpStateName(state) ?? String(state)) : 'UNCONN',
    tuple: { saddr: address(8), daddr: address(24) },
    recvQueue: payload.readUInt32LE(56),
    sendQueue: payload.readUInt32LE(60),
    uid: payload.readUInt32LE(64),
    inode: payload.readUInt32LE(68),
    cookie: payload.readBigUInt64LE(44).toString(16),
  };
  if (proto === 'raw') socket.ipProtocol = attributes.get(Attribute.protocol)?.[0] ?? port;
  else Object.assign(socket.tuple, { sport: port, dport: peerPort });
  const ifindex = payload.readUInt32LE(40);
  if (ifindex) socket.ifindex = ifindex;
  if (state === LISTEN) {
    // tcp_diag_get_info() in net/ipv4/tcp_diag.c
    socket.acceptQueue = socket.recvQueue;
    socket.acceptLimit = socket.sendQueue;
  }
  const timer = payload[2] ?? 0;
  if (timer) {
    socket.timer = { kind: TIMERS[timer] ?? 'unknown', left: payload.readUInt32LE(52) / 1000 };
    socket.retransmits = payload[3] ?? 0;
  }
  const memory = memoryOf(attributes.get(Attribute.skMemInfo));
  if (memory) socket.memory = memory;
  const info = attributes.get(Attribute.info);
  if (proto === 'tcp' && info && state !== LISTEN) socket.tcp = tcpDetails(info);
  // inet_req_diag_fill() has no socket to ask; a child of fast open, which is SYN_RECV too, is one
  if (proto === 'tcp' && state === SYN_RECV && !info) socket.isRequest = true;
  // not accepted yet: no file, and so no inode. A closed socket's last states look the same
  if (proto === 'tcp' && socket.inode === 0 && state === ESTABLISHED) socket.isUnaccepted = true;
  return socket;
}
