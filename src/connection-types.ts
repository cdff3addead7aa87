/** What the traces of a TCP connection tell together: public types, as in types.ts. */
import type { DateText, Seconds, Tuple } from './types.js';

/**
 * open: stands, or was not seen to end; closed: by FIN of both sides; reset: by RST; refused: the SYN was answered with a
 * refusal; timed-out: the handshake got no answer, or a side gave up waiting for one later; stray: the client gave it up and
 * the server keeps it; half-open: one side believes in it, the other has none; unknown: what was seen does not tell.
 */
export type ConnectionOutcome =
  | 'open'
  | 'closed'
  | 'reset'
  | 'refused'
  | 'timed-out'
  | 'stray'
  | 'half-open'
  | 'unknown';

export interface ConnectionVerdict {
  outcome: ConnectionOutcome;
  /** Stable word for scripts, of the list in docs/verdicts.md. */
  cause: string;
  text: string;
  advice: string[];
  /** Segments that say so, in the order in which they were seen, and the sockets at the end where these are known. */
  evidence: string[];
}

/** What the traces of one TCP connection, both ways, tell together: with --explain, at the end. */
export interface ConnectionRecord {
  v: 1;
  type: 'connection';
  proto: 'tcp';
  /** From the client to the server, as far as a SYN or SYN-ACK told; else as first seen. */
  tuple: Tuple;
  /** Seconds of the monotonic clock: of the first and of the last segment that was seen. */
  start: Seconds;
  end: Seconds;
  /** As in SkbTrace, of `start`. */
  date: DateText;
  /** Traces of it, and how many of them lack events. */
  traces: number;
  incomplete: number;
  /** The handshake was seen to establish the server's or the client's socket. */
  established: boolean;
  /** Which side closed or reset it first, gave it up, or lost its socket, where that was seen. */
  endedBy?: 'client' | 'server';
  /** SYNs that were sent again. */
  synRetransmissions: number;
  verdict: ConnectionVerdict;
}

/** Packets of connections that were not kept, as there were too many: with --explain. */
export interface ConnectionOmission {
  v: 1;
  type: 'connections-omitted';
  t: Seconds;
  date: DateText;
  count: number;
}
