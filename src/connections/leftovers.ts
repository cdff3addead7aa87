import { namespacesOf } from '../counters/match-rule.js';
import { goesOut } from '../counters/way.js';
import { plainAddress } from '../decode/addresses.js';
import { isRefusedReset } from '../explain/connections/refused-reset.js';
import type { InetSocket, Leftover, SkbTrace, Tuple } from '../types.js';

/** Connections that are followed at once; the oldest go first. */
const MAX_CONNECTIONS = 65_536;

type Part = 'syn' | 'synAck' | 'ack' | 'refusedReset';
/** The first trace of each kind; traces do not finish in the order in which they began. */
type Handshake = Partial<Record<Part, { id: string; start: number }>>;

function key(netns: number, saddr: string, sport: number, daddr: string, dport: number): string {
  return `${netns} ${plainAddress(saddr)} ${sport} ${plainAddress(daddr)} ${dport}`;
}

/** The connection as the one who opens it has it. */
function keyOf(netns: number, tuple: Tuple, isAnswer: boolean): string {
  const { saddr, sport = 0, daddr, dport = 0 } = tuple;
  return isAnswer ? key(netns, daddr, dport, saddr, sport) : key(netns, saddr, sport, daddr, dport);
}

/** What a segment is to the handshake of its connection; an ACK may be any, of which the first counts. */
function partOf(flags: string, cause: string): Part | undefined {
  if (flags.includes('S')) return flags.includes('A') ? 'synAck' : 'syn';
  if (flags.includes('R')) return isRefusedReset(flags, cause) ? 'refusedReset' : undefined;
  return flags.includes('A') ? 'ack' : undefined;
}

/** Keeps which packets made which connection, in each network namespace with its own addresses (NAT changes them). */
export class ConnectionWatch {
  readonly #handshakes = new Map<string, Handshake>();
  /** Connections that had to be forgotten. */
  forgotten = 0;

  get namespaces(): number[] {
    return [...new Set([...this.#handshakes.keys()].map((one) => Number.parseInt(one, 10)))];
  }

  add(trace: SkbTrace): void {
    const flags = trace.events.find((event) => event.tcp)?.tcp?.flags;
    if (trace.proto !== 'tcp' || !trace.tuple || flags === undefined) return;
    const namespaces = namespacesOf(trace);
    const tuples = new Map<number, Tuple>();
    // what a socket has to do with is seen before the way out rewrites it, and behind what the way in rewrites
    const [first] = trace.events;
    for (const [i, event] of trace.events.entries()) {
      const netns = namespaces[i];
      if (netns === undefined || event.parent !== undefined) continue;
      const isSender = first !== undefined && goesOut(first) && namespaces[0] === netns;
      if (!isSender || !tuples.has(netns)) tuples.set(netns, event.tuple ?? trace.tuple);
    }
    for (const [netns, tuple] of tuples) this.#addTo(netns, tuple, flags, trace);
  }

  #addTo(netns: number, tuple: Tuple, flags: string, trace: SkbTrace): void {
    const part = partOf(flags, trace.verdict.cause);
    if (!part) return;
    const handshake = this.#open(keyOf(netns, tuple, part === 'synAck'));
    const { id, start } = trace;
    const known = handshake[part];
    if (!known || start < known.start) handshake[part] = { id, start };
  }

  #open(name: string): Handshake {
    const known = this.#handshakes.get(name);
    if (known) return known;
    if (this.#handshakes.size >= MAX_CONNECTIONS) {
      const [oldest] = this.#handshakes;
      if (oldest) this.#handshakes.delete(oldest[0]);
      if (oldest?.[1].syn) this.forgotten++;
    }
    const handshake: Handshake = {};
    this.#handshakes.set(name, handshake);
    return handshake;
  }

  /** Of sockets that were opened while tracing: their SYN was seen. */
  #handshakeOf({ proto, state, netns, tuple }: InetSocket): Handshake | undefined {
    if (proto !== 'tcp' || state === 'LISTEN') return undefined;
    return [true, false]
      .map((isAnswer) => this.#handshakes.get(keyOf(netns, tuple, isAnswer)))
      .find((handshake) => handshake?.syn);
  }

  /** Was it opened while tracing? */
  knows(socket: InetSocket): boolean {
    return this.#handshakeOf(socket) !== undefined;
  }

  /** Those of the sockets that were opened while tracing, from either side; strays first. */
  leftovers(sockets: readonly InetSocket[]): Leftover[] {
    const found: Leftover[] = [];
    const peers = new Set(sockets.map(({ tuple }) => endpoints(tuple.daddr, tuple.dport, tuple.saddr, tuple.sport)));
    for (const socket of sockets) {
      const { tuple } = socket;
      const handshake = this.#handshakeOf(socket);
      if (!handshake) continue;
      const hasPeer = peers.has(endpoints(tuple.saddr, tuple.sport, tuple.daddr, tuple.dport));
      const isStray = handshake.refusedReset !== undefined && socket.state === 'ESTABLISHED' && !hasPeer;
      const ids = Object.entries(handshake).map(([part, { id }]) => [part, id] as const);
      found.push({ socket, ...Object.fromEntries(ids), isStray });
    }
    return found.sort((a, b) => Number(b.isStray) - Number(a.isStray));
  }
}

function endpoints(saddr: string, sport: number | undefined, daddr: string, dport: number | undefined): string {
  return `${plainAddress(saddr)} ${sport} ${plainAddress(daddr)} ${dport}`;
}

/**
 * The sockets that belong to traced connections, and the packets that made them. `sockets`: of all namespaces that the packets
 * came through, as connections() lists them; a stray connection is one that an RST was refused for in its handshake, and none of
 * them is its peer.
 */
export function leftovers(traces: Iterable<SkbTrace>, sockets: readonly InetSocket[]): Leftover[] {
  const watch = new ConnectionWatch();
  for (const trace of traces) watch.add(trace);
  return watch.leftovers(sockets);
}
