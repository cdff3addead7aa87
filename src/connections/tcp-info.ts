import type { TcpDetails } from '../types.js';

/** enum tcp_ca_state of include/uapi/linux/tcp.h, as the events of --sock have it. */
const CONGESTION_STATES = ['CA_Open', 'CA_Disorder', 'CA_CWR', 'CA_Recovery', 'CA_Loss'];

/** Where a number of 32 bits is in struct tcp_info (include/uapi/linux/tcp.h); it only ever grows at its end. */
const OFFSETS = {
  rto: 8,
  sndMss: 16,
  unacked: 24,
  lost: 32,
  retransOut: 36,
  lastDataSentMs: 44,
  lastDataReceivedMs: 52,
  lastAckReceivedMs: 56,
  rtt: 68,
  rttVar: 72,
  cwnd: 80,
  totalRetrans: 100,
  notSent: 144,
  minRtt: 148,
} as const;
const BYTES_ACKED = 120;
const BYTES_RECEIVED = 128;

/** What struct tcp_info says of a connection; what an older kernel's shorter one does not hold is left out. */
export function tcpDetails(info: Buffer): TcpDetails {
  const details: TcpDetails = {};
  const number = (at: number) => (info.length >= at + 4 ? info.readUInt32LE(at) : undefined);
  const us = (at: number) => {
    const value = number(at);
    return value === undefined ? undefined : value / 1000;
  };
  const bytes = (at: number) => {
    if (info.length < at + 8) return undefined;
    const value = info.readBigUInt64LE(at);
    return value <= Number.MAX_SAFE_INTEGER ? Number(value) : value.toString();
  };
  const all: { [K in keyof TcpDetails]: TcpDetails[K] | undefined } = {
    caState: info.length > 1 ? (CONGESTION_STATES[info[1] ?? 0] ?? String(info[1])) : undefined,
    probes: info.length > 3 ? info[3] : undefined,
    backoff: info.length > 4 ? info[4] : undefined,
    rtoMs: us(OFFSETS.rto),
    mss: number(OFFSETS.sndMss),
    packetsOut: number(OFFSETS.unacked),
    lost: number(OFFSETS.lost),
    retransOut: number(OFFSETS.retransOut),
    lastDataSentMs: number(OFFSETS.lastDataSentMs),
    lastDataReceivedMs: number(OFFSETS.lastDataReceivedMs),
    lastAckReceivedMs: number(OFFSETS.lastAckReceivedMs),
    rttMs: us(OFFSETS.rtt),
    rttVarMs: us(OFFSETS.rttVar),
    cwnd: number(OFFSETS.cwnd),
    totalRetrans: number(OFFSETS.totalRetrans),
    bytesAcked: bytes(BYTES_ACKED),
    bytesReceived: bytes(BYTES_RECEIVED),
    notSent: number(OFFSETS.notSent),
    minRttMs: us(OFFSETS.minRtt),
  };
  for (const [key, value] of Object.entries(all)) if (value !== undefined) Object.assign(details, { [key]: value });
  return details;
}
