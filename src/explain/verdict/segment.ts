import type { SocketInfo, TcpInfo, TraceEvent } from '../../types.js';
import {
  beginsAtOrBehind,
  endsBefore,
  isInWindow,
  isProbe,
  pawsRefuses,
  placeInWindow,
  timestampText,
  windowText,
} from './numbers.js';
import { type Finding, returnedZero, type Sight, seen } from './sight.js';

/** States in which an RST one before the expected number counts too (tcp_reset_check()). */
const AFTER_FIN = new Set(['CLOSE_WAIT', 'LAST_ACK', 'CLOSING']);
const TW_SUCCESS = 0;
const TW_RESET = 1;
const TW_SYN = 3;

/** An event of a function that held the segment against its state. */
interface Held {
  event: TraceEvent;
  tcp: TcpInfo;
  socket: SocketInfo;
  /** Numbers in words: what the function compared. */
  evidence: string[];
}

function heldBy(event: TraceEvent): Held | undefined {
  const { tcp, socket } = event;
  if (!tcp || !socket || socket.windowEnd === undefined) return undefined;
  return {
    event,
    tcp,
    socket,
    evidence: [seen(event, timestampText(tcp, socket)), seen(event, windowText(tcp, socket))],
  };
}

function found({ event, evidence }: Held, cause: string, more: Partial<Finding> = {}): Finding {
  return { cause, event, evidence, ...more };
}

/** An RST for a request, in tcp_check_req(). */
function resetOfRequest(held: Held): Finding | undefined {
  const { event, tcp, socket, evidence } = held;
  const isNull = returnedZero(event);
  // it goes on to the listener, as its ACK number is none of this request
  if (isNull === false) return found(held, 'ack-not-acceptable', { outcome: 'dropped' });
  const paws = pawsRefuses(tcp, socket, 0, true);
  const isInside = isInWindow(tcp, socket);
  const { requestLeft } = socket;
  if (requestLeft === false || (requestLeft === undefined && !paws && isInside)) {
    const how = requestLeft === undefined ? 'nothing speaks against it' : 'the request is gone afterwards';
    return found(held, 'rst-did-its-work', {
      text: 'the RST ended the handshake: the request is gone, and an ACK that follows is answered with RST',
      evidence: [...evidence, seen(event, how)],
    });
  }
  const left = requestLeft ? [seen(event, 'the request is still there afterwards')] : [];
  const more = { evidence: [...evidence, ...left] };
  if (paws) return found(held, 'paws-reject-in-handshake', { ...more, detail: timestampText(tcp, socket) });
  if (isInside === false) return found(held, 'rst-outside-window', { ...more, detail: windowText(tcp, socket) });
  return found(held, 'segment-before-handshake-ack', more);
}

/** tcp_check_req(): a segment for a handshake that waits for its ACK. */
function requestFinding(event: TraceEvent, sight: Sight): Finding | undefined {
  const held = heldBy(event);
  if (!held) return undefined;
  const { tcp, socket } = held;
  if (tcp.flags.includes('R')) return resetOfRequest(held);
  if (returnedZero(event) !== true) return undefined;
  // it was taken for the ACK, and the listener refused: its own function tells
  if (sight.last('tcp_v4_syn_recv_sock', 'tcp_v6_syn_recv_sock')) return undefined;
  const paws = pawsRefuses(tcp, socket, 0);
  const isSyn = tcp.flags.includes('S') && !tcp.flags.includes('A');
  if (isSyn && !paws && (tcp.seq + 1) >>> 0 === socket.rcvNxt) return found(held, 'syn-repeated');
  if (paws) return found(held, 'paws-reject-in-handshake', { detail: timestampText(tcp, socket) });
  if (!isInWindow(tcp, socket)) return found(held, 'segment-outside-window', { detail: windowText(tcp, socket) });
  if (isSyn) return found(held, 'syn-in-connection', { outcome: 'rejected' });
  const wasDeferred = tcp.flags.includes('A') && tcp.payload === 0 && socket.requestLeft === true;
  const seesListener = sight.facts.sees('tcp_v4_syn_recv_sock') || sight.facts.sees('tcp_v6_syn_recv_sock');
  return wasDeferred && seesListener ? found(held, 'accept-deferred') : found(held, 'segment-before-handshake-ack');
}

/** An RST on a connection: only its sequence number counts, whatever its timestamp (RFC 7323, RFC 5961). */
function resetOfConnection(held: Held, sight: Sight): Finding {
  const { event, tcp, socket, evidence } = held;
  const paws = pawsRefuses(tcp, socket, 1)
    ? [seen(event, 'an old timestamp does not matter to an RST on a connection')]
    : [];
  const isClosed = socket.newState === 'CLOSE' || sight.last('tcp_reset') !== undefined;
  const isBeforeFin = AFTER_FIN.has(socket.state ?? '') && (tcp.seq + 1) >>> 0 === socket.rcvNxt;
  const isKept = socket.newState !== undefined && !isClosed;
  if (isClosed || (!isKept && (tcp.seq === socket.rcvNxt || isBeforeFin))) {
    const closed = isClosed ? [seen(event, 'the connection is closed afterwards')] : [];
    return found(held, 'rst-did-its-work', {
      text: 'the RST ended the connection',
      evidence: [...evidence, ...paws, ...closed],
    });
  }
  const detail = windowText(tcp, socket);
  if (placeInWindow(tcp, socket) !== 'in') return found(held, 'rst-outside-window', { detail });
  return found(held, 'rst-challenged', { detail });
}

/** tcp_validate_incoming(): zero says that the segment ends here. */
function validationFinding(event: TraceEvent, sight: Sight): Finding | undefined {
  const held = heldBy(event);
  if (!held || returnedZero(event) !== true) return undefined;
  const { tcp, socket } = held;
  if (tcp.flags.includes('R')) return resetOfConnection(held, sight);
  if (pawsRefuses(tcp, socket, 1)) {
    const isAck = sight.losses.some(({ drop }) => drop?.reason === 'TCP_RFC7323_PAWS_ACK');
    return found(held, isAck ? 'paws-old-ack' : 'paws-reject-established', { detail: timestampText(tcp, socket) });
  }
  if (isProbe(tcp, socket)) return found(held, 'probe-answered');
  const place = placeInWindow(tcp, socket);
  if (place === 'before') return found(held, 'old-duplicate', { detail: windowText(tcp, socket) });
  if (place === 'behind') return found(held, behindWindow(held), { detail: windowText(tcp, socket) });
  if (tcp.flags.includes('S')) return found(held, synInConnection(held), { outcome: 'dropped' });
  return undefined;
}

/** The SYN-ACK with which the connection began, once more, and nothing has come since. */
function synInConnection({ tcp, socket }: Held): string {
  const isAgain = tcp.flags.includes('A') && (tcp.seq + 1) >>> 0 === socket.rcvNxt;
  return isAgain ? 'syn-ack-repeated' : 'syn-in-connection';
}

function behindWindow({ tcp, socket }: Held): string {
  return tcp.payload > 0 && socket.windowEnd === socket.rcvNxt ? 'zero-window' : 'segment-outside-window';
}

/** tcp_data_queue(): what it throws away. */
function dataFinding(event: TraceEvent): Finding | undefined {
  const held = heldBy(event);
  if (!held || held.tcp.payload === 0) return undefined;
  const { tcp, socket } = held;
  const { rcvNxt, windowEnd } = socket;
  if (rcvNxt === undefined || windowEnd === undefined) return undefined;
  const detail = windowText(tcp, socket);
  if (endsBefore(tcp, rcvNxt))
    return found(held, isProbe(tcp, socket) ? 'probe-answered' : 'old-duplicate', { detail });
  return beginsAtOrBehind(tcp, windowEnd) ? found(held, behindWindow(held), { detail }) : undefined;
}

/** An RST with the number that TIME_WAIT expects ends it, but where a sysctl protects it. */
function resetOfTimeWait(held: Held, sight: Sight): Finding {
  const protection = sight.read(['net.ipv4.tcp_rfc1337'])[0]?.value;
  if (protection !== undefined && protection !== '0') return found(held, 'rst-ignored-in-time-wait');
  const doubt = protection === undefined ? ', unless net.ipv4.tcp_rfc1337 is set' : '';
  return found(held, 'rst-did-its-work', { text: `the RST ended the TIME_WAIT of its connection${doubt}` });
}

/** tcp_timewait_state_process() */
function timeWaitFinding(event: TraceEvent, sight: Sight): Finding | undefined {
  const held = heldBy(event);
  if (!held || typeof event.ret !== 'number' || event.ret === TW_SYN) return undefined;
  const { tcp, socket } = held;
  if (event.ret === TW_RESET) return found(held, 'time-wait-reset');
  const isReset = tcp.flags.includes('R');
  if (pawsRefuses(tcp, socket, 0, isReset))
    return found(held, 'paws-reject-time-wait', { detail: timestampText(tcp, socket) });
  if (!isReset) return found(held, 'time-wait-acknowledged');
  if (tcp.seq === socket.rcvNxt && event.ret === TW_SUCCESS) return resetOfTimeWait(held, sight);
  // in FIN_WAIT2, which is kept in the same place, any number in the window will do
  return found(held, isInWindow(tcp, socket) ? 'rst-undecided' : 'rst-outside-window', {
    detail: windowText(tcp, socket),
  });
}

/** What TCP did with a segment, by the numbers that it compared: the last function that refused it or took it as an end. */
export function segmentFinding(sight: Sight): Finding | undefined {
  for (const event of sight.events.toReversed()) {
    let finding: Finding | undefined;
    if (event.func === 'tcp_check_req') finding = requestFinding(event, sight);
    else if (event.func === 'tcp_validate_incoming') finding = validationFinding(event, sight);
    else if (event.func === 'tcp_data_queue') finding = dataFinding(event);
    else if (event.func === 'tcp_timewait_state_process') finding = timeWaitFinding(event, sight);
    if (finding) return finding;
  }
  return undefined;
}
