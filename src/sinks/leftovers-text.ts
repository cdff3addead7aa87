import { formatEndpoint, plainAddress } from '../decode/addresses.js';
import type { Leftover, Leftovers } from '../types.js';
import { printable } from './printable.js';

/** As packets show it: a socket of IPv6 has IPv4 addresses in the form of its own. */
function endText(address: string, port: number | undefined): string {
  return formatEndpoint(plainAddress(address), port);
}

function lineOf({ socket, syn, synAck, ack, refusedReset, isStray }: Leftover): string {
  const { state, tuple, recvQueue, sendQueue, owner, isRequest, isUnaccepted, timer } = socket;
  const ends = `${endText(tuple.saddr, tuple.sport)} <-> ${endText(tuple.daddr, tuple.dport)}`;
  const facts = [
    isStray && 'stray connection: an RST was refused in its handshake, and no peer is left',
    isRequest && 'waits for the last ACK',
    isUnaccepted && 'not accepted yet',
    owner && `${printable(owner.comm)}-${owner.pid}`,
    recvQueue > 0 && `recv-q:${recvQueue}`,
    sendQueue > 0 && `send-q:${sendQueue}`,
    timer && `timer:(${timer.kind}, ${timer.left.toFixed(3)}s)`,
  ].filter(Boolean);
  const packets = [
    syn && `SYN ${syn}`,
    synAck && `SYN-ACK ${synAck}`,
    refusedReset && `refused RST ${refusedReset}`,
    ack && `ACK ${ack}`,
  ].filter(Boolean);
  const text = `  ${isStray ? '!' : ' '} ${state} ${ends}${facts.length > 0 ? `: ${facts.join(', ')}` : ''}`;
  return `${text}\n      by ${packets.join(', ')}\n`;
}

/** Sockets of traced connections that are still there; nothing where there are none. */
export function leftoversText({ sockets, omitted, forgotten }: Leftovers): string {
  let text = `sockets left of traced connections: ${sockets.length + omitted}\n`;
  text += sockets.map(lineOf).join('');
  if (omitted > 0) text += `  ... and ${omitted} more\n`;
  if (forgotten > 0) text += `  ${forgotten} connections were too many to be followed\n`;
  return `${text}\n`;
}
