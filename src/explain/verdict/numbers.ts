import type { SocketInfo, TcpInfo } from '../../types.js';

/** net/ipv4/tcp.h, TCP_PAWS_MSL and TCP_PAWS_24DAYS, seconds. */
const PAWS_MSL = 60;
const PAWS_24_DAYS = 60 * 60 * 24 * 24;

/** a - b of 32-bit sequence numbers, as a signed number. */
export function difference(a: number, b: number): number {
  return (a - b) | 0;
}

/** The number behind the segment's last one: SYN and FIN count one each. */
export function endOf({ seq, payload, flags }: Pick<TcpInfo, 'seq' | 'payload' | 'flags'>): number {
  const control = (flags.includes('S') ? 1 : 0) + (flags.includes('F') ? 1 : 0);
  return (seq + payload + control) >>> 0;
}

/**
 * tcp_paws_check(): is the timestamp older than what was seen last? Undefined where that is not known. `slack`: how much
 * older it may be (TCP_PAWS_WINDOW, 1 on a connection). What was remembered too long ago counts no more, for an RST
 * after a minute (tcp_paws_reject()).
 */
export function pawsRefuses(
  tcp: TcpInfo,
  { tsRecent, tsRecentAge = 0 }: SocketInfo,
  slack: number,
  isShortLived = false,
): boolean | undefined {
  if (tsRecent === undefined) return undefined;
  if (tcp.tsval === undefined || tsRecent === 0) return false;
  if (difference(tsRecent, tcp.tsval) <= slack) return false;
  return tsRecentAge < (isShortLived ? PAWS_MSL : PAWS_24_DAYS);
}

/** tcp_in_window(), for requests and TIME_WAIT. */
export function isInWindow(tcp: TcpInfo, { windowStart, windowEnd }: SocketInfo): boolean | undefined {
  if (windowStart === undefined || windowEnd === undefined) return undefined;
  const end = endOf(tcp);
  if (tcp.seq === windowStart) return true;
  if (difference(end, windowStart) > 0 && difference(tcp.seq, windowEnd) < 0) return true;
  return tcp.seq === windowEnd && tcp.seq === end;
}

/** tcp_sequence(), for connections: before the window, behind it, or neither. */
export function placeInWindow(
  tcp: TcpInfo,
  { windowStart, windowEnd }: SocketInfo,
): 'before' | 'behind' | 'in' | undefined {
  if (windowStart === undefined || windowEnd === undefined) return undefined;
  if (difference(endOf(tcp), windowStart) < 0) return 'before';
  return difference(tcp.seq, windowEnd) > 0 ? 'behind' : 'in';
}

/** Is all of it before `number`, or does it begin at or behind it? */
export function endsBefore(tcp: TcpInfo, number: number): boolean {
  return difference(endOf(tcp), number) <= 0;
}

export function beginsAtOrBehind(tcp: TcpInfo, number: number): boolean {
  return difference(tcp.seq, number) >= 0;
}

/** A keepalive or a window probe: it asks with a number that was acknowledged already. */
export function isProbe(tcp: TcpInfo, { rcvNxt }: SocketInfo): boolean {
  return rcvNxt !== undefined && tcp.payload <= 1 && !/[SFR]/.test(tcp.flags) && difference(rcvNxt, tcp.seq) === 1;
}

/** The numbers that PAWS compares, in words. */
export function timestampText(tcp: TcpInfo, { tsRecent, tsRecentAge }: SocketInfo): string {
  if (tcp.tsval === undefined) return 'the segment has no timestamp, so PAWS lets it pass';
  if (!tsRecent) return `timestamp ${tcp.tsval}, and none is remembered`;
  const age = tsRecentAge === undefined ? '' : `, which is ${tsRecentAge} s old at most`;
  const order = difference(tsRecent, tcp.tsval) > 0 ? 'older than' : 'not older than';
  return `timestamp ${tcp.tsval} is ${order} ts_recent ${tsRecent}${age}`;
}

/** The numbers that the window check compares, in words. */
export function windowText(tcp: TcpInfo, { rcvNxt, windowStart, windowEnd }: SocketInfo): string {
  return `seq ${tcp.seq} to ${endOf(tcp)}, expected ${rcvNxt}, window ${windowStart} to ${windowEnd}`;
}
