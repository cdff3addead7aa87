import { isDeepStrictEqual } from 'node:util';
import { formatEndpoint } from '../decode/addresses.js';
import { TCP_STATE_NAMES } from '../decode/names.js';
import { type MaybeByKernel, resolveByKernel } from './by-kernel.js';
import type { Check, Finding, Observation } from './check.js';
import { checkAddress, checkFields, checkNumber, checkWords } from './check-words.js';
import { ConnectionExpectation, type ConnectionQuery } from './connection-expectation.js';
import { type ExpectOptions, type Surroundings, TraceExpectation } from './expectations.js';
import type { Host } from './host.js';
import type { HostSocket } from './result.js';
import type { TraceQuery } from './trace-query.js';
import { measuredText, valueText } from './value-text.js';

/** Which sockets are meant: all that is given must hold. */
export interface SocketQuery {
  /** TCP state by the kernel's name without TCP_: ESTABLISHED. */
  state?: string;
  /** A host, or its name. */
  on?: Host | string;
  proto?: 'tcp' | 'udp';
  localPort?: number;
  peerPort?: number;
  peer?: string;
  /** The client gave it up, its RST was refused, and the socket stays. */
  stray?: boolean;
}

function nameOf(host: Host | string): string {
  return typeof host === 'string' ? host : host.name;
}

const FIELDS: Readonly<Record<keyof SocketQuery, true>> = {
  state: true,
  on: true,
  proto: true,
  localPort: true,
  peerPort: true,
  peer: true,
  stray: true,
};
/** Of UDP: a socket without a peer. */
const STATES = [...TCP_STATE_NAMES, 'UNCONN'];

/** Throws UsageError for a query that no socket could answer. */
function checkSocketQuery(query: SocketQuery): void {
  checkFields('query for sockets', query, Object.keys(FIELDS));
  checkWords('state of sockets', query.state, STATES);
  checkWords('protocol of sockets', query.proto, ['tcp', 'udp']);
  checkAddress('peer', query.peer);
  for (const name of ['localPort', 'peerPort'] as const) checkNumber(name, query[name]);
}

function matchesSocket({ host, isStray, socket }: HostSocket, query: SocketQuery): boolean {
  const { state, on, proto, localPort, peerPort, peer, stray } = query;
  const { tuple } = socket;
  return (
    (state === undefined || socket.state === state) &&
    (on === undefined || host === nameOf(on)) &&
    (proto === undefined || socket.proto === proto) &&
    (localPort === undefined || tuple.sport === localPort) &&
    (peerPort === undefined || tuple.dport === peerPort) &&
    (peer === undefined || tuple.daddr === peer) &&
    (stray === undefined || isStray === stray)
  );
}

export function socketText({ host, socket, isStray }: HostSocket): string {
  const { proto, state, tuple, acceptQueue, acceptLimit, recvQueue, sendQueue } = socket;
  const queues =
    acceptQueue === undefined
      ? [...(recvQueue ? [`receive queue ${recvQueue}`] : []), ...(sendQueue ? [`send queue ${sendQueue}`] : [])]
      : [`accept queue ${acceptQueue} of ${acceptLimit}`];
  const ends = `${formatEndpoint(tuple.saddr, tuple.sport)} - ${formatEndpoint(tuple.daddr, tuple.dport)}`;
  return [`${host}: ${proto} ${state} ${ends}`, ...queues, ...(isStray ? ['a stray connection'] : [])].join(', ');
}

function socketQueryText({ state, on, proto, localPort, peerPort, peer, stray }: SocketQuery): string {
  const words = [...(proto ? [proto] : []), 'socket'];
  if (state !== undefined) words.unshift(state);
  if (stray !== undefined) words.unshift(stray ? 'stray' : 'not stray');
  if (on !== undefined) words.push(`on ${nameOf(on)}`);
  if (localPort !== undefined) words.push(`at port ${localPort}`);
  if (peer !== undefined || peerPort !== undefined) words.push(`with ${formatEndpoint(peer ?? '*', peerPort)}`);
  return words.join(' ');
}

/** What is there when the case has been played, and before its sockets are closed. */
export class SocketExpectation {
  readonly #query: SocketQuery;
  readonly #add: (check: Check) => void;

  constructor(query: SocketQuery, add: (check: Check) => void) {
    this.#query = query;
    this.#add = add;
  }

  /** So many of them are there; without a number at least one. */
  toRemain(count?: MaybeByKernel<number>): void {
    this.#count(count, (wanted) => (wanted === undefined ? 'remains' : `remains, ${wanted} times`));
  }

  toNotRemain(): void {
    this.#count(0, () => 'does not remain');
  }

  #count(count: MaybeByKernel<number> | undefined, text: (wanted: number | undefined) => string): void {
    const query = this.#query;
    this.#add({
      text: (version) => `${socketQueryText(query)} ${text(resolveByKernel(count, version))}`,
      find({ sockets, version }) {
        const there = sockets.filter((socket) => matchesSocket(socket, query));
        const wanted = resolveByKernel(count, version);
        const all = sockets.map(socketText).join('; ') || 'no sockets';
        return { ok: wanted === undefined ? there.length > 0 : there.length === wanted, seen: all };
      },
    });
  }
}

/** How much a counter of /proc/net/netstat, snmp or snmp6 rises from before the case is played until after it. */
export class CounterExpectation {
  readonly #name: string;
  readonly #on: string | undefined;
  readonly #add: (check: Check) => void;

  constructor(name: string, on: string | undefined, add: (check: Check) => void) {
    this.#name = name;
    this.#on = on;
    this.#add = add;
  }

  /** By exactly so much; without a number by anything. */
  toRise(by?: MaybeByKernel<number>): void {
    this.#rise(
      by,
      (risen, wanted) => (wanted === undefined ? risen > 0 : risen === wanted),
      (wanted) => (wanted === undefined ? 'rises' : `rises by ${wanted}`),
    );
  }

  toRiseAtLeast(by: MaybeByKernel<number>): void {
    this.#rise(
      by,
      (risen, wanted = 1) => risen >= wanted,
      (wanted) => `rises by ${wanted} or more`,
    );
  }

  toStay(): void {
    this.#rise(
      0,
      (risen) => risen === 0,
      () => 'stays as it is',
    );
  }

  #rise(
    by: MaybeByKernel<number> | undefined,
    test: (risen: number, wanted: number | undefined) => boolean,
    text: (wanted: number | undefined) => string,
  ): void {
    const name = this.#name;
    const on = this.#on;
    this.#add({
      text: (version) => `counter ${name}${on === undefined ? '' : ` of ${on}`} ${text(resolveByKernel(by, version))}`,
      find(observed) {
        const risen = observed.counter(name, on);
        if (risen === undefined) return { ok: false, seen: 'this kernel has no such counter' };
        return { ok: test(risen, resolveByKernel(by, observed.version)), seen: `it rose by ${risen}` };
      },
    });
  }
}

/** Something that the case itself has found out. */
export class ValueExpectation {
  readonly #text: string;
  readonly #actual: unknown;
  readonly #add: (check: Check) => void;

  constructor(text: string, actual: unknown, add: (check: Check) => void) {
    this.#text = text;
    this.#actual = actual;
    this.#add = add;
  }

  /** Equal to it, in depth; `byKernel` where that differs. */
  toBe(expected: unknown): void {
    const actual = this.#actual;
    this.#add({
      text: (version) => `${this.#text} is ${valueText(resolveByKernel(expected, version))}`,
      find: ({ version }) => ({
        ok: isDeepStrictEqual(actual, resolveByKernel(expected, version)),
        seen: valueText(actual),
      }),
    });
  }

  /** A number that was measured, both ends included. It is shown. */
  toBeBetween(low: number, high: number, unit = ''): void {
    const actual = this.#actual;
    const words = (number: unknown) => `${measuredText(number)}${unit && ` ${unit}`}`;
    this.#add({
      text: () => `${this.#text} is ${measuredText(low)} to ${words(high)}`,
      find: () => ({
        ok: typeof actual === 'number' && actual >= low && actual <= high,
        seen: words(actual),
        measured: true,
      }),
    });
  }
}

/**
 * Where a case says what it expects. Nothing is looked at before the case has been played. Throws UsageError for what nothing
 * could ever be as: unknown fields, states, causes, hosts, functions that are not traced.
 */
export class Expect {
  readonly checks: Check[] = [];
  readonly #surroundings: Surroundings;
  readonly #add = (check: Check) => {
    this.checks.push(check);
  };

  constructor(surroundings: Surroundings) {
    this.#surroundings = surroundings;
  }

  /** Packets; see TraceQuery. */
  trace(query: TraceQuery, options: ExpectOptions = {}): TraceExpectation {
    return new TraceExpectation(query, options, this.#surroundings, this.#add);
  }

  /** TCP connections, by the verdict on all of their segments. */
  connection(query: ConnectionQuery, options: ExpectOptions = {}): ConnectionExpectation {
    return new ConnectionExpectation(query, options, this.#add);
  }

  /** Sockets that are there when the case has been played: by state, or by more. */
  socket(query: SocketQuery | string): SocketExpectation {
    const wanted = typeof query === 'string' ? { state: query } : query;
    checkSocketQuery(wanted);
    this.#checkHost(wanted.on);
    return new SocketExpectation(wanted, this.#add);
  }

  /** A counter by its name in /proc/net (`PAWSEstab`, or in full `TcpExtPAWSEstab`), over all hosts or on one. */
  counter(name: string, { on }: { on?: Host | string } = {}): CounterExpectation {
    this.#checkHost(on);
    return new CounterExpectation(name, on === undefined ? undefined : nameOf(on), this.#add);
  }

  /** Something that the case itself has found out: `expect.value('the answer to the ACK', facts.answer).toBe('R')`. */
  value(text: string, actual: unknown): ValueExpectation {
    return new ValueExpectation(text, actual, this.#add);
  }

  /** Anything else about what was seen, or why it cannot be seen here. */
  that(text: string, find: (observed: Observation) => Finding): void {
    this.#add({ text: () => text, find });
  }

  #checkHost(host: Host | string | undefined): void {
    if (host !== undefined) checkWords('host', nameOf(host), this.#surroundings.hosts);
  }
}
