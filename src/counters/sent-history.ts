import { difference, endOf } from '../explain/verdict/numbers.js';
import type { SkbTrace } from '../types.js';
import { remember, wayOf } from './way.js';

/** Segments, and endpoints with their peers, that are remembered; the oldest go first. */
const MAX_SENT = 65_536;

/** What a segment is to those that went the same way before: seen without its socket. */
export interface SentBefore {
  /** The same segment, by addresses, ports, sequence number and flags, was sent by an earlier packet. */
  repeat: boolean;
  /** It asks with the number before the next one, as keepalive does, and a probe of a closed window (tcp_xmit_probe_skb()). */
  probe: boolean;
  /** An RST with the next number, by which the sender's socket ends its connection (tcp_send_active_reset()). */
  abort: boolean;
  /** Such an RST, and nothing but probes was sent before it. */
  probed: boolean;
  /** A SYN with the number by which connect() takes over a port in TIME_WAIT. */
  recycles: boolean;
}

const NOTHING: SentBefore = { repeat: false, probe: false, abort: false, probed: false, recycles: false };

/** A SYN that follows a connection in TIME_WAIT begins so far behind that one's last number (tcp_twsk_unique()). */
const BEHIND_TIME_WAIT = 65_537;

/** How far an endpoint came, and when that was sent: traces are not finished in the order in which they began. */
interface Progress {
  next: number;
  start: number;
  hasFin: boolean;
  /** When the last probe was sent, with nothing else since. */
  probed?: number | undefined;
}

/** Remembers TCP segments as they are sent. */
export class SentHistory {
  readonly #segments = new Map<string, true>();
  readonly #progress = new Map<string, Progress>();

  add(trace: SkbTrace): SentBefore {
    const { proto, events, start } = trace;
    const way = wayOf(trace);
    const tcp = events.find((event) => event.tcp)?.tcp;
    if (proto !== 'tcp' || !tcp || way === undefined) return NOTHING;
    const known = this.#progress.get(way);
    const { flags, payload, seq } = tcp;
    if (payload > 0 || /[SF]/.test(flags)) {
      const recycles =
        flags === 'S' && known !== undefined && known.hasFin && difference(seq, known.next) === BEHIND_TIME_WAIT;
      this.#advance(way, known, { next: endOf(tcp), start, hasFin: flags.includes('F') }, flags.includes('S'));
      const segment = `${way} ${seq} ${flags}`;
      const repeat = this.#segments.has(segment);
      remember(this.#segments, segment, true, MAX_SENT);
      return { ...NOTHING, repeat, recycles };
    }
    // a bare ACK repeats its number as long as nothing is sent
    if (!known || start <= known.start) return NOTHING;
    if (flags.includes('R')) {
      const abort = flags.includes('A') && seq === known.next && !known.hasFin;
      return { ...NOTHING, abort, probed: abort && known.probed !== undefined && start > known.probed };
    }
    const probe = flags === 'A' && difference(known.next, seq) === 1;
    if (start > (known.probed ?? 0)) known.probed = probe ? start : undefined;
    return { ...NOTHING, probe };
  }

  /** Did the endpoint close its side? */
  hasClosed(way: string): boolean {
    return this.#progress.get(way)?.hasFin === true;
  }

  #advance(way: string, known: Progress | undefined, reached: Progress, isNew: boolean): void {
    if (!known || (isNew && reached.start > known.start) || difference(reached.next, known.next) > 0)
      remember(this.#progress, way, reached, MAX_SENT);
  }
}
