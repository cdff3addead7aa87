/**
 * Why a server refuses a client's RST while the handshake is under way, though its sequence number fits. One outside of the
 * window is not among them: anybody can send it, so it says nothing of the client.
 */
const REFUSALS = new Set(['paws-reject-in-handshake', 'segment-before-handshake-ack']);

/** Is it an RST by which the client gave its handshake up, and which the server refused? By flags and cause of its trace. */
export function isRefusedReset(flags: string, cause: string): boolean {
  return flags.includes('R') && REFUSALS.has(cause);
}
