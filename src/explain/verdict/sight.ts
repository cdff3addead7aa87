import type { Note, Outcome, Proto, SkbTrace, TraceEvent } from '../../types.js';
import { isPacketCause } from '../causes/index.js';
import type { ReadValues } from '../read-values.js';

/** What a verdict takes for granted about the kernel and this run. */
export interface KernelFacts {
  /**
   * tcp_check_req() tells its caller why it refuses a segment (6.15, commit e34100c2ecbb): an RST that is freed without a
   * reason behind it was not refused.
   */
  namesRequestRefusals: boolean;
  /** ip_error() says in its drop reason where this host does not forward (5.19): IP_INADDRERRORS, IP_INNOROUTES. */
  namesNotForwarding: boolean;
  /** Is this function of the probe table attached? */
  sees(func: string): boolean;
}

export const NO_FACTS: KernelFacts = { namesRequestRefusals: false, namesNotForwarding: false, sees: () => false };

/** What a rule has found. */
export interface Finding {
  /** Id of a packet's cause. */
  cause: string;
  /** Where the cause allows several, and the answer that was seen does not decide. */
  outcome?: Outcome;
  /** In place of the cause's sentence. */
  text?: string;
  /** Behind the sentence, in brackets. */
  detail?: string;
  /** In place of the cause's advice. */
  advice?: string;
  evidence: string[];
  /** The event that says so. */
  event?: TraceEvent;
}

const RETRANSMITS = new Set(['__tcp_retransmit_skb', 'tcp_retransmit_skb']);
const RESETS = new Set(['tcp_v4_send_reset', 'tcp_v6_send_reset', 'tcp_send_reset']);
const ERRORS = new Set(['__icmp_send', 'icmp_send', 'icmp6_send']);
const REJECTS = new Set(['nf_send_unreach', 'nf_send_unreach6', 'nf_send_reset', 'nf_send_reset6']);

export type JudgedTrace = Pick<SkbTrace, 'events' | 'closed' | 'complete' | 'proto' | 'tuple'>;

/** A trace as the rules see it. */
export class Sight {
  readonly trace: JudgedTrace;
  readonly facts: KernelFacts;
  readonly read: ReadValues;
  /** Since the packet was sent for the last time: what became of it before does not count. */
  readonly events: readonly TraceEvent[];

  constructor(trace: JudgedTrace, facts: KernelFacts, read: ReadValues) {
    this.trace = trace;
    this.facts = facts;
    this.read = read;
    const from = trace.events.findLastIndex((_, i) => isSentAgain(trace.events, i));
    this.events = from > 0 ? trace.events.slice(from) : trace.events;
  }

  last(...funcs: string[]): TraceEvent | undefined {
    return this.events.findLast((event) => funcs.includes(event.func));
  }

  /** Frees that are drops and count as a loss. */
  get losses(): TraceEvent[] {
    return this.events.filter((event) => event.drop !== undefined && event.drop.noLoss === undefined);
  }

  /** TCP flags of the segment; undefined where it is none. */
  get flags(): string | undefined {
    return this.events.findLast((event) => event.tcp)?.tcp?.flags;
  }

  get isReset(): boolean {
    return this.flags?.includes('R') ?? false;
  }

  get proto(): Proto {
    return this.events.findLast((event) => event.proto)?.proto ?? this.trace.proto;
  }

  /** The event that answered the packet with a refusal. */
  get answer(): TraceEvent | undefined {
    return this.events.findLast(
      (event) =>
        REJECTS.has(event.func) ||
        (ERRORS.has(event.func) && event.notes.length > 0) ||
        // what is itself a reset is not answered
        (RESETS.has(event.func) && !event.tcp?.flags.includes('R')),
    );
  }

  /** Notes that mean something to a verdict, in the order of the events. */
  get telling(): { event: TraceEvent; note: Note; cause: string }[] {
    return this.events.flatMap((event) =>
      event.notes.flatMap((note) => (isPacketCause(note.cause) ? [{ event, note, cause: note.cause }] : [])),
    );
  }
}

/**
 * Does the event say that the packet is sent again? The tracepoint comes when it has been sent. __tcp_retransmit_skb() refuses
 * what has no place in the peer's window any more, or still is in a queue of this host.
 */
export function isSentAgain(events: readonly TraceEvent[], at: number): boolean {
  const event = events[at];
  if (!event || !RETRANSMITS.has(event.func)) return false;
  if (event.func !== '__tcp_retransmit_skb') return true;
  return events.find(({ skb }, i) => i > at && skb === event.skb)?.func === '__tcp_transmit_skb';
}

/** `function: what it saw` */
export function seen(event: TraceEvent, text: string): string {
  return `${event.func}: ${text}`;
}

/** A returned pointer or number: was it zero? Undefined where no return was seen. */
export function returnedZero({ ret }: TraceEvent): boolean | undefined {
  if (ret === undefined) return undefined;
  return typeof ret === 'number' ? ret === 0 : BigInt(ret) === 0n;
}

/** The function of `symbol+0xoffset [module]`, without a compiler's suffix (.constprop.0, .isra.0, .part.0, .cold). */
export function functionOf(location: string): string {
  return /^[^+. ]*/.exec(location)?.[0] ?? '';
}
