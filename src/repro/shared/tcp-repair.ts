import type { NetnsSocket } from '#bpf-loader';
import { LITTLE } from '../../decode/byte-order.js';
import type { SocketOptions } from '../socket-options.js';
import type { Connection } from '../sockets.js';

/*
 * What TCP_REPAIR can do: it was made to move connections between machines, and lets a socket be set to what only the
 * network would bring about otherwise. It takes CAP_NET_ADMIN.
 */
const SOL_TCP = 6;
const TCP_REPAIR = 19;
const TCP_REPAIR_QUEUE = 20;
const TCP_QUEUE_SEQ = 21;
const TCP_TIMESTAMP = 24;
const TCP_SEND_QUEUE = 2;
const OFF = 0;
const ON = 1;
/** Without the window probe that OFF sends. */
const OFF_SILENTLY = -1;

/** A socket whose SYN has this sequence number in place of a random one (tcp_v4_connect() keeps what is set). */
export function withInitialSequence(seq: number): SocketOptions {
  return {
    raw: [
      [SOL_TCP, TCP_REPAIR, ON],
      [SOL_TCP, TCP_REPAIR_QUEUE, TCP_SEND_QUEUE],
      [SOL_TCP, TCP_QUEUE_SEQ, seq | 0],
      [SOL_TCP, TCP_REPAIR, OFF],
    ],
  };
}

/** A socket whose connect() is done at once, without a packet: it is ESTABLISHED, and closed without a word too. */
export const CONNECTED_SILENTLY: SocketOptions = { raw: [[SOL_TCP, TCP_REPAIR, ON]] };

/** The clock from which the socket takes its timestamps, milliseconds. */
export function timestampClock(socket: NetnsSocket): number {
  const value = socket.getOption(SOL_TCP, TCP_TIMESTAMP, 4);
  return new DataView(value.buffer, value.byteOffset).getUint32(0, LITTLE);
}

/** From now on the connection's timestamps are by so many milliseconds ahead of what they would have been. */
export function advanceTimestamps({ socket }: Connection, ms: number): void {
  socket.setOption(SOL_TCP, TCP_REPAIR, ON);
  socket.setOption(SOL_TCP, TCP_TIMESTAMP, (timestampClock(socket) + ms) | 0);
  socket.setOption(SOL_TCP, TCP_REPAIR, OFF_SILENTLY);
}
