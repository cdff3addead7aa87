import type { ConnectionCause, PacketCause } from './cause.js';
import { CONNECTION_CAUSES } from './connection.js';
import { PATH_CAUSES } from './path.js';
import { QUEUE_CAUSES } from './queue.js';
import { TCP_CAUSES } from './tcp.js';
import { WAY_CAUSES } from './way.js';

export type { Cause, ConnectionCause, PacketCause } from './cause.js';
export { CONNECTION_CAUSES };

/** All that a packet's verdict can have as its cause, and as a fact, in the order of docs/verdicts.md. */
export const PACKET_CAUSES: readonly PacketCause[] = [...WAY_CAUSES, ...TCP_CAUSES, ...PATH_CAUSES, ...QUEUE_CAUSES];

const packetCauses = new Map(PACKET_CAUSES.map((cause) => [cause.id, cause]));
const connectionCauses = new Map(CONNECTION_CAUSES.map((cause) => [cause.id, cause]));

/** A word from outside may be none of the list. */
export function isPacketCause(id: string | undefined): id is string {
  return id !== undefined && packetCauses.has(id);
}

/** Throws Error for an id that is not in the list. */
export function packetCause(id: string): PacketCause {
  const cause = packetCauses.get(id);
  if (!cause) throw new Error(`there is no cause '${id}'`);
  return cause;
}

/** Throws Error for an id that is not in the list. */
export function connectionCause(id: string): ConnectionCause {
  const cause = connectionCauses.get(id);
  if (!cause) throw new Error(`there is no cause '${id}' of a connection`);
  return cause;
}
