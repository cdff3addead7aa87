import { EventSock, EventTcp } from '../generated/layout.js';
import { LITTLE } from './byte-order.js';

/** See struct event_tcp in bpf/event.h. */
export interface RawTcp {
  tsRecent: number;
  /** Seconds. */
  tsRecentAge: number;
  rcvNxt: number;
  windowStart: number;
  windowEnd: number;
  copiedSeq: number;
}

/** See struct event_sock in bpf/event.h. */
export interface RawSock {
  state: number;
  caState: number;
  packetsOut: number;
  retransOut: number;
  unacked: number;
  wmem: number;
  rmem: number;
  /** SockTimer */
  timer: number;
  /** Jiffies. */
  timerLeft: number;
  acceptQueue: number;
  acceptLimit: number;
  srttUs: number;
  rttMinUs: number;
  /** That it changes to; 0 where it does not. */
  newState: number;
  isTcp: boolean;
  synQueue: number;
  synLimit: number;
  syncookies: number;
}

export function decodeSock(view: DataView, at: number): RawSock {
  const u32 = (offset: number) => view.getUint32(at + offset, LITTLE);
  return {
    state: u32(EventSock.state),
    caState: u32(EventSock.caState),
    packetsOut: u32(EventSock.packetsOut),
    retransOut: u32(EventSock.retransOut),
    unacked: u32(EventSock.unacked),
    wmem: u32(EventSock.wmem),
    rmem: u32(EventSock.rmem),
    timer: u32(EventSock.timer),
    timerLeft: view.getInt32(at + EventSock.timerLeft, LITTLE),
    acceptQueue: u32(EventSock.acceptQueue),
    acceptLimit: u32(EventSock.acceptLimit),
    srttUs: u32(EventSock.srttUs),
    rttMinUs: u32(EventSock.rttMinUs),
    newState: u32(EventSock.newState),
    isTcp: u32(EventSock.isTcp) !== 0,
    synQueue: u32(EventSock.synQueue),
    synLimit: u32(EventSock.synLimit),
    syncookies: u32(EventSock.syncookies),
  };
}

export function decodeTcp(view: DataView, at: number): RawTcp {
  const u32 = (offset: number) => view.getUint32(at + offset, LITTLE);
  return {
    tsRecent: u32(EventTcp.tsRecent),
    tsRecentAge: u32(EventTcp.tsRecentAge),
    rcvNxt: u32(EventTcp.rcvNxt),
    windowStart: u32(EventTcp.windowStart),
    windowEnd: u32(EventTcp.windowEnd),
    copiedSeq: u32(EventTcp.copiedSeq),
  };
}
