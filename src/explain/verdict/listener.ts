import type { SocketInfo, TraceEvent } from '../../types.js';
import { type Finding, returnedZero, type Sight, seen } from './sight.js';

function queuesText({ acceptQueue, acceptLimit, synQueue, maxSynBacklog, syncookies }: SocketInfo): string {
  const syn =
    synQueue === undefined
      ? ''
      : `; SYN queue ${synQueue}, tcp_max_syn_backlog ${maxSynBacklog}, tcp_syncookies ${syncookies}`;
  return `accept queue ${acceptQueue} of ${acceptLimit}${syn}`;
}

/** sk_acceptq_is_full() */
function isAcceptQueueFull({ acceptQueue, acceptLimit }: SocketInfo): boolean {
  return acceptQueue !== undefined && acceptLimit !== undefined && acceptQueue > acceptLimit;
}

/**
 * Without cookies a listener takes no more than its backlog, and no more than three quarters of tcp_max_syn_backlog from
 * addresses that it does not know (tcp_conn_request()).
 */
function isSynQueueFull({ synQueue = 0, acceptLimit = 0, maxSynBacklog = 0, syncookies }: SocketInfo): boolean {
  return syncookies === 0 && (synQueue >= acceptLimit || maxSynBacklog - synQueue < maxSynBacklog >> 2);
}

/** A SYN at a listener, which frees it in the same way whether it took it or not. */
function synFinding(event: TraceEvent, sight: Sight): Finding | undefined {
  const { socket } = event;
  if (!socket) return undefined;
  const evidence = [seen(event, queuesText(socket))];
  const cookie = sight.telling.find(({ cause }) => cause === 'syn-cookie-sent');
  if (cookie) {
    return { cause: 'syn-cookie-sent', event, evidence: [...evidence, seen(cookie.event, 'a cookie is made')] };
  }
  if (isAcceptQueueFull(socket)) {
    const detail = `${socket.acceptQueue} of ${socket.acceptLimit}`;
    return { cause: 'accept-queue-full', event, evidence, detail };
  }
  const { synQueue, synQueueAfter } = socket;
  if (synQueue === undefined || synQueueAfter === undefined || synQueueAfter > synQueue) return undefined;
  const after = [...evidence, seen(event, `${synQueueAfter} in the SYN queue afterwards`)];
  if (isSynQueueFull(socket)) return { cause: 'syn-queue-full', event, evidence: after, detail: queuesText(socket) };
  // another handshake may have ended in that moment
  return { cause: 'syn-dropped-by-listener', outcome: 'unknown', event, evidence: after };
}

/** The last ACK of a handshake, for which no socket was made. */
function ackFinding(event: TraceEvent): Finding | undefined {
  if (returnedZero(event) !== true) return undefined;
  const { socket } = event;
  if (!socket || !isAcceptQueueFull(socket)) {
    const evidence = socket ? [seen(event, queuesText(socket))] : [];
    return { cause: 'handshake-refused', event, evidence };
  }
  return {
    cause: 'accept-queue-full',
    event,
    evidence: [seen(event, queuesText(socket)), seen(event, 'no socket is made for the ACK')],
    detail: `${socket.acceptQueue} of ${socket.acceptLimit} at the last ACK of the handshake: the client believes in a connection that the server does not have`,
  };
}

/** What a listener did with a SYN or with the ACK that ends the handshake. */
export function listenerFinding(sight: Sight): Finding | undefined {
  const ack = sight.last('tcp_v4_syn_recv_sock', 'tcp_v6_syn_recv_sock');
  if (ack) return ackFinding(ack);
  const syn = sight.last('tcp_conn_request');
  return syn && synFinding(syn, sight);
}
