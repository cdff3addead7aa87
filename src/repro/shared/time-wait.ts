import type { Host } from '../host.js';
import type { Connection, Listener } from '../sockets.js';
import { withInitialSequence } from './tcp-repair.js';

/** Ports of the client whose second connection looks newer to the server than the first, and older. */
export const NEWER = 41_001;
export const OLDER = 41_002;
/** Of the first connections. */
export const FIRST_SEQ = 1_000_000;

/** A connection from this port with this initial sequence number. */
export async function connectWithSequence(
  client: Host,
  listener: Listener,
  port: number,
  seq: number,
): Promise<{ connection: Connection; accepted: Connection }> {
  const connection = await client.connect(listener.local, { from: { port }, options: withInitialSequence(seq) });
  return { connection, accepted: await listener.accept() };
}

/** The server closes, then the client: the server's socket becomes TIME_WAIT, and the client's side is free at once. */
export async function closeServerFirst({
  connection,
  accepted,
}: {
  connection: Connection;
  accepted: Connection;
}): Promise<void> {
  accepted.close();
  while ((await connection.receive()).length > 0);
  connection.close();
}
