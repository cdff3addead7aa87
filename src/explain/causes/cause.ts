import type { ConnectionOutcome, Outcome } from '../../types.js';

/** One thing that a verdict can say. Ids are stable: scripts compare them. */
export interface Cause {
  id: string;
  /** One sentence for people, about the packet or the connection. */
  sentence: string;
  /** What to do about it; absent where there is nothing to do. */
  advice?: string;
  /** What decided, and what counts it: sysctls and `nstat:` counters, in the forms of bpf/drop-reasons.yaml. */
  values?: readonly string[];
}

/** Of a packet. */
export interface PacketCause extends Cause {
  /** All that a verdict with this cause may have; none where it is only ever a fact. */
  outcomes: readonly Outcome[];
  /** It may hold beside another cause. */
  isFact?: boolean;
}

/** Of a connection. */
export interface ConnectionCause extends Cause {
  outcome: ConnectionOutcome;
}
