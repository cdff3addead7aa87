import type { NetnsSocket } from '#bpf-loader';
import { LITTLE } from '../decode/byte-order.js';

const SOL_IP = 0;
const SOL_SOCKET = 1;
const SOL_TCP = 6;
const SOL_UDP = 17;
const SOL_IPV6 = 41;

/** Options that are numbers: level and option of asm-generic/socket.h, linux/in.h, linux/tcp.h and linux/udp.h. */
const NUMBERS = {
  reuseAddress: [SOL_SOCKET, 2],
  /** Bytes; the kernel doubles it, and has a lower limit. */
  sendBuffer: [SOL_SOCKET, 7],
  receiveBuffer: [SOL_SOCKET, 8],
  keepAlive: [SOL_SOCKET, 9],
  priority: [SOL_SOCKET, 12],
  reusePort: [SOL_SOCKET, 15],
  mark: [SOL_SOCKET, 36],
  ttl: [SOL_IP, 2],
  freeBind: [SOL_IP, 15],
  /** 0 never sets DF, 1 as the route says, 2 always, 3 always and ignores what was learnt (IP_PMTUDISC_PROBE). */
  mtuDiscover: [SOL_IP, 10],
  /** ICMP errors that UDP takes for temporary are reported too, and at once (IP_RECVERR). */
  receiveErrors: [SOL_IP, 11],
  transparent: [SOL_IP, 19],
  onlyIpv6: [SOL_IPV6, 26],
  noDelay: [SOL_TCP, 1],
  maxSegment: [SOL_TCP, 2],
  cork: [SOL_TCP, 3],
  /** Seconds. */
  keepIdle: [SOL_TCP, 4],
  keepInterval: [SOL_TCP, 5],
  keepCount: [SOL_TCP, 6],
  synCount: [SOL_TCP, 7],
  /** Seconds that an orphan stays in FIN_WAIT2; -1: none. */
  linger2: [SOL_TCP, 8],
  deferAccept: [SOL_TCP, 9],
  windowClamp: [SOL_TCP, 10],
  quickAck: [SOL_TCP, 12],
  /** Milliseconds until a connection whose data are not acknowledged is given up. */
  userTimeout: [SOL_TCP, 18],
  repair: [SOL_TCP, 19],
  /** Bytes of each datagram that a long send is cut into (UDP_SEGMENT). */
  udpSegment: [SOL_UDP, 103],
  udpGro: [SOL_UDP, 104],
} as const satisfies Readonly<Record<string, readonly [level: number, option: number]>>;

/** What a socket is set to before it is bound; names are those of the kernel's options, numbers are passed as int. */
export interface SocketOptions extends Partial<Record<keyof typeof NUMBERS, number | boolean>> {
  /** Seconds that close() waits for data to be sent; 0: it sends RST in place of FIN. */
  linger?: number;
  /** Interface (SO_BINDTODEVICE). */
  device?: string;
  /** Others, by level and option of the kernel's headers; a number is passed as int. */
  raw?: readonly (readonly [level: number, option: number, value: Uint8Array | number])[];
}

const SO_LINGER = 13;
const SO_BINDTODEVICE = 25;

export function applyOptions(socket: NetnsSocket, options: SocketOptions): void {
  const { linger, device, raw = [], ...numbers } = options;
  for (const [name, value] of Object.entries(numbers)) {
    const [level, option] = NUMBERS[name as keyof typeof NUMBERS];
    if (value !== undefined) socket.setOption(level, option, Number(value));
  }
  if (linger !== undefined) {
    const value = Buffer.alloc(8);
    new DataView(value.buffer, value.byteOffset).setInt32(0, 1, LITTLE);
    new DataView(value.buffer, value.byteOffset).setInt32(4, linger, LITTLE);
    socket.setOption(SOL_SOCKET, SO_LINGER, value);
  }
  if (device !== undefined) socket.setOption(SOL_SOCKET, SO_BINDTODEVICE, Buffer.from(`${device}\0`));
  for (const [level, option, value] of raw) socket.setOption(level, option, value);
}
