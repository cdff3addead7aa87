import { difference, endOf } from '../verdict/numbers.js';
import { isSyn, isSynAck, isToBeAcknowledged, type SegmentFact, type Sender } from './segment-fact.js';

/** What is known of sockets at the end. */
export interface SocketStates {
  /**
   * TCP state of the sender's socket, by the endpoints that a segment had (as endpointKey() has them); CLOSE where there is
   * none, undefined where that is not known.
   */
  stateOf(sender: Sender, local: string, remote: string): string | undefined;
}

/** Of one connection, in the order of their times. */
export interface ConnectionFacts {
  segments: readonly SegmentFact[];
  /** Endpoint that opened it; undefined where neither SYN nor SYN-ACK was seen. */
  client: string | undefined;
  sockets?: SocketStates | undefined;
}

export type Side = 'client' | 'server';
export const SIDES: readonly Side[] = ['client', 'server'];

/** What a rule has found. */
export interface Judgement {
  /** Id of a connection's cause. */
  cause: string;
  /** Index of the decisive segment; -1 where there is none. */
  at: number;
  /** Segments that say so, though by themselves they tell of nothing but that data went through. */
  also?: readonly SegmentFact[];
}

/** A connection as the rules see it. */
export class Reading {
  readonly segments: readonly SegmentFact[];
  readonly client: string | undefined;
  readonly #sockets: SocketStates | undefined;

  constructor({ segments, client, sockets }: ConnectionFacts) {
    this.segments = segments;
    this.client = client;
    this.#sockets = sockets;
  }

  sideOf({ from }: SegmentFact): Side | undefined {
    if (this.client === undefined) return undefined;
    return from === this.client ? 'client' : 'server';
  }

  find(test: (segment: SegmentFact) => boolean, after = -1): number {
    return this.segments.findIndex((segment, i) => i > after && test(segment));
  }

  last(test: (segment: SegmentFact) => boolean): number {
    return this.segments.findLastIndex(test);
  }

  get synRetransmissions(): number {
    return timesAgain(this.segments.filter(isSyn));
  }

  /** All that is seen of sending this segment, the first time included. */
  sendings(segment: SegmentFact): SegmentFact[] {
    const { from, seq } = segment;
    if (!isToBeAcknowledged(segment)) return [segment];
    return this.segments.filter((s) => s.from === from && s.seq === seq && isToBeAcknowledged(s));
  }

  repetitions(segment: SegmentFact): number {
    return timesAgain(this.sendings(segment));
  }

  /** Did it reach its receiver the last time that it was sent, or an ACK for it its sender, as far as was seen? */
  hasArrived(segment: SegmentFact): boolean {
    if (this.sendings(segment).findLast(({ isNotice }) => !isNotice)?.outcome === 'delivered') return true;
    return this.segments.some(
      (s) => s.from !== segment.from && s.flags.includes('A') && isTaken(s) && difference(s.ack, endOf(segment)) >= 0,
    );
  }

  /** The segment that established the server's socket. */
  get serverStands(): number {
    return this.find((s) => s.establishes && !isSynAck(s) && this.sideOf(s) !== 'server');
  }

  get clientStands(): boolean {
    return this.segments.some((s) => s.establishes && isSynAck(s));
  }

  /** State at the end of a socket that was seen to be established: CLOSE where it is gone, undefined where that is not known. */
  socketOf(side: Side): string | undefined {
    const hasStood = side === 'client' ? this.clientStands : this.serverStands >= 0;
    const own = this.segments.findLast((s) => s.sender && this.sideOf(s) === side);
    return hasStood && own?.sender ? this.#sockets?.stateOf(own.sender, own.from, own.to) : undefined;
  }
}

function isTaken({ outcome }: SegmentFact): boolean {
  return outcome !== 'dropped' && outcome !== 'rejected';
}

/**
 * How often one segment was sent again: by its own trace, and as other packets. Not every kernel shows what sends again: where
 * the compiler put __tcp_retransmit_skb() into its callers, each time looks like a packet of its own. With tracepoints alone
 * each does, and a notice tells of it too.
 */
function timesAgain(sendings: readonly SegmentFact[]): number {
  const sum = (facts: readonly SegmentFact[]) => facts.reduce((n, { retransmissions }) => n + retransmissions, 0);
  const packets = sendings.filter(({ isNotice }) => !isNotice);
  const notices = sendings.filter(({ isNotice }) => isNotice);
  return Math.max(0, packets.length - 1 + sum(packets), sum(notices));
}
