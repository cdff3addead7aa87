import type { ConnectionOmission, ConnectionRecord, SkbTrace, Tuple } from '../../types.js';
import { judgeConnection } from './judge-connection.js';
import type { SocketStates } from './reading.js';
import { endpointKey, factOf, isSyn, isSynAck, isTelling, pairsOf, type SegmentFact } from './segment-fact.js';

/**
 * Connections that are kept at once, segments of each that tell something, and of each side the latest of the others:
 * as ACK and sequence numbers only grow, these say how far it came.
 */
const MAX_CONNECTIONS = 10_000;
const MAX_SEGMENTS = 128;
const MAX_LATEST = 4;

interface Conversation {
  tuple: Tuple;
  segments: SegmentFact[];
  /** The latest that are not among them, by sender. */
  latest: Map<string, SegmentFact[]>;
  /** Segments that were not kept: they tell of nothing but that data went through. */
  plain: number;
  delivered: boolean;
  incomplete: number;
  first: SegmentFact;
  last: number;
}

/** A part of a conversation: the same addresses and ports are used again. */
interface Part {
  segments: SegmentFact[];
  tuple: Tuple;
  client: string | undefined;
}

/**
 * Is fed with traces, in whichever order they were finished, and says of each TCP connection what became of it. Bounded:
 * what is too much is counted.
 */
export class ConnectionJudge {
  readonly #limit: number;
  readonly #conversations: Conversation[] = [];
  readonly #byPair = new Map<string, Conversation>();
  #omitted = 0;
  #lastOmitted: SegmentFact | undefined;

  constructor(limit = MAX_CONNECTIONS) {
    this.#limit = limit;
  }

  add(trace: SkbTrace): void {
    const fact = factOf(trace);
    if (!fact || !trace.tuple) return;
    const pairs = pairsOf(trace);
    let conversation = pairs.map((pair) => this.#byPair.get(pair)).find((known) => known !== undefined);
    if (!conversation) {
      if (this.#conversations.length >= this.#limit) {
        this.#omitted++;
        this.#lastOmitted = fact;
        return;
      }
      conversation = {
        tuple: trace.tuple,
        segments: [],
        latest: new Map(),
        plain: 0,
        delivered: false,
        incomplete: 0,
        first: fact,
        last: fact.t,
      };
      this.#conversations.push(conversation);
    }
    for (const pair of pairs) if (!this.#byPair.has(pair)) this.#byPair.set(pair, conversation);
    this.#remember(conversation, fact);
  }

  #remember(conversation: Conversation, fact: SegmentFact): void {
    if (!fact.complete) conversation.incomplete++;
    if (fact.t < conversation.first.t) conversation.first = fact;
    conversation.last = Math.max(conversation.last, fact.t);
    if (isTelling(fact) && conversation.segments.length < MAX_SEGMENTS) {
      conversation.segments.push(fact);
      return;
    }
    if (fact.outcome === 'delivered') conversation.delivered = true;
    const latest = conversation.latest.get(fact.from) ?? [];
    conversation.latest.set(fact.from, latest);
    latest.push(fact);
    if (latest.length <= MAX_LATEST) return;
    latest.sort((a, b) => a.t - b.t).shift();
    conversation.plain++;
  }

  /**
   * The verdicts, in the order in which the connections began; last, what was left out. `sockets`: as they were while packets
   * were still seen, so that one that is gone and sent no FIN and no RST did not.
   */
  *end(sockets?: SocketStates): Generator<ConnectionRecord | ConnectionOmission, void, undefined> {
    const records = this.#conversations.flatMap((one) => recordsOf(one, sockets)).sort((a, b) => a.start - b.start);
    yield* records;
    const last = this.#lastOmitted;
    if (last) yield { v: 1, type: 'connections-omitted', t: last.t, date: last.date, count: this.#omitted };
  }
}

/** A SYN with another sequence number begins another connection. */
function partsOf({ segments, latest, tuple }: Conversation): Part[] {
  const sorted = [...segments, ...[...latest.values()].flat()].sort((a, b) => a.t - b.t);
  const parts: Part[] = [{ segments: [], tuple, client: undefined }];
  let syn: SegmentFact | undefined;
  for (const segment of sorted) {
    if (isSyn(segment)) {
      if (syn && (syn.seq !== segment.seq || syn.from !== segment.from))
        parts.push({ segments: [], tuple, client: undefined });
      syn = segment;
    }
    parts.at(-1)?.segments.push(segment);
  }
  for (const part of parts) orient(part);
  return parts;
}

/** Finds out who opened it, and turns the addresses round if that is not the sender of the first segment. */
function orient(part: Part): void {
  const syn = part.segments.find(isSyn);
  part.client = syn?.from ?? part.segments.find(isSynAck)?.to;
  const { saddr, sport, daddr, dport } = part.tuple;
  if (part.client === undefined || part.client === endpointKey(saddr, sport)) return;
  if (part.client !== endpointKey(daddr, dport)) return; // behind NAT it has other addresses
  const turned: Tuple = { saddr: daddr, daddr: saddr };
  if (dport !== undefined) turned.sport = dport;
  if (sport !== undefined) turned.dport = sport;
  part.tuple = turned;
}

function recordsOf(conversation: Conversation, sockets: SocketStates | undefined): ConnectionRecord[] {
  const { plain, delivered, incomplete, first, last } = conversation;
  const parts = partsOf(conversation);
  return parts.map((part, i) => {
    // what was not kept is not known to belong to one of several
    const isOnly = parts.length === 1;
    const begin = (isOnly || i === 0 ? first : part.segments[0]) ?? first;
    const lost = isOnly ? incomplete : part.segments.filter(({ complete }) => !complete).length;
    // sockets that are there now are those of the last one
    const facts = i === parts.length - 1 ? { ...part, sockets } : part;
    const { endedBy, ...judged } = judgeConnection(facts, { delivered: isOnly && delivered, incomplete: lost });
    return {
      v: 1,
      type: 'connection',
      proto: 'tcp',
      tuple: part.tuple,
      start: begin.t,
      end: isOnly ? last : Math.max(begin.t, part.segments.at(-1)?.t ?? begin.t),
      date: begin.date,
      traces: part.segments.length + (i === 0 ? plain : 0),
      incomplete: lost,
      ...judged,
      ...(endedBy ? { endedBy } : {}),
    };
  });
}
