import { type Finding, functionOf, type Sight, seen } from './sight.js';

const RECEIVERS = new Set(['tcp_v4_rcv', 'tcp_v6_rcv']);

/** An RST of which no function told what it was held against. */
export function resetFinding(sight: Sight): Finding | undefined {
  if (!sight.isReset) return undefined;
  const closing = sight.events.find(({ socket }) => socket?.newState === 'CLOSE' && socket.state !== 'CLOSE');
  const reset = sight.last('tcp_reset');
  const event = closing ?? reset;
  if (event) {
    const change = closing ? `the socket changed from ${closing.socket?.state} to CLOSE` : 'the connection is reset';
    return { cause: 'rst-did-its-work', text: 'the RST ended the connection', event, evidence: [seen(event, change)] };
  }
  return freedFinding(sight);
}

/** By place and reason alone. */
function freedFinding(sight: Sight): Finding | undefined {
  const event = sight.events.find(({ drop }) => drop?.noLoss !== undefined);
  const { drop } = event ?? {};
  if (!event || !drop || (drop.reason !== undefined && drop.reason !== 'NOT_SPECIFIED')) return undefined;
  const evidence = [seen(event, `freed in ${drop.location}, reason ${drop.reason ?? 'none'}`)];
  const isInReceiver = RECEIVERS.has(functionOf(drop.location));
  if (isInReceiver && drop.reason && sight.facts.namesRequestRefusals && !sight.facts.sees('tcp_check_req')) {
    return {
      cause: 'rst-did-its-work',
      text: 'the RST ended the request for a connection, or came for one in TIME_WAIT: this kernel would name a refusal, and names none',
      event,
      evidence,
    };
  }
  return { cause: 'rst-undecided', event, evidence };
}
