import type { AssembledEvent, OpenTrace } from '../assemble/assembler.js';
import { tcpFlagsText, tcpStateName } from '../decode/names.js';
import type { RawBytes, RawEvent, RawMeta, RawPacket, RawSock, RawSocket, RawTcp } from '../decode/records.js';
import { decodeTcpOptions } from '../decode/tcp-options.js';
import { EventFlag, EventKind } from '../generated/layout.js';
import type { AttachOutcome } from '../load/backends.js';
import type { Kernel } from '../load/kernel.js';
import type {
  Note,
  PacketBytes,
  Proto,
  SkbTrace,
  SocketInfo,
  StackFrame,
  TraceEvent,
  Tuple,
  Verdict,
} from '../types.js';
import { blameHooks } from './hooks.js';
import { type ListRules, nameRules } from './nft-rules.js';
import { noLoss } from './no-loss.js';
import {
  dropNotes,
  isDropNote,
  netfilterInfo,
  netfilterNote,
  returnNote,
  socketNotes,
  typedReturn,
  visitNote,
} from './notes.js';
import { fillOwners } from './owners.js';
import { fillPlaces } from './places.js';
import { type ReadValues, readNothing } from './read-values.js';
import { type Explained, type ExplainedEvent, type Shape, ShapeTree } from './shapes.js';
import type { Place, ValueReader } from './values.js';
import { judge } from './verdict/judge.js';
import { factsOf } from './verdict/kernel-facts.js';
import type { KernelFacts } from './verdict/sight.js';
import { WallClock } from './wall-clock.js';

const IPPROTO_ICMP = 1;
const IPPROTO_TCP = 6;
const IPPROTO_UDP = 17;
const IPPROTO_ICMPV6 = 58;
const TCP_RST = 0x04;
const TCP_LISTEN = 10;
const ECHO_TYPES = new Set([0, 8, 128, 129]);

export function protoOf(packet: RawPacket): Proto {
  switch (packet.l4Proto) {
    case IPPROTO_TCP:
      return 'tcp';
    case IPPROTO_UDP:
      return 'udp';
    case IPPROTO_ICMP:
      return 'icmp';
    case IPPROTO_ICMPV6:
      return 'icmpv6';
  }
  if (packet.l3Proto === 0x0806) return 'arp';
  if (packet.l3Proto === 0x0800) return 'ip';
  return packet.l3Proto === 0x86dd ? 'ipv6' : 'unknown';
}

export function tupleOf(packet: RawPacket, proto: Proto): Tuple {
  const tuple: Tuple = { saddr: packet.saddr, daddr: packet.daddr };
  if (proto === 'tcp' || proto === 'udp') {
    tuple.sport = packet.sport;
    tuple.dport = packet.dport;
  }
  return tuple;
}

function sameTuple(a: Tuple, b: Tuple): boolean {
  return a.saddr === b.saddr && a.daddr === b.daddr && a.sport === b.sport && a.dport === b.dport;
}

function endpointText(tuple: Tuple): string {
  const port = (p: number | undefined) => (p === undefined ? '' : ` port ${p}`);
  return `${tuple.saddr}${port(tuple.sport)} -> ${tuple.daddr}${port(tuple.dport)}`;
}

function socketInfo(raw: RawSocket, kernel: Kernel): SocketInfo {
  const info: SocketInfo = {};
  const state = tcpStateName(raw.state);
  const newState = tcpStateName(raw.newState);
  if (state) info.state = state;
  if (newState) info.newState = newState;
  if (raw.resetReason !== undefined) info.resetReason = kernel.resetReason(raw.resetReason);
  if (raw.requestLeft !== undefined) info.requestLeft = raw.requestLeft;
  return info;
}

/** What TCP holds the segment against. */
function addTcp(info: SocketInfo, raw: RawTcp): void {
  info.tsRecent = raw.tsRecent;
  if (raw.tsRecent) info.tsRecentAge = raw.tsRecentAge;
  info.rcvNxt = raw.rcvNxt;
  info.windowStart = raw.windowStart;
  info.windowEnd = raw.windowEnd;
  if (raw.copiedSeq) info.copiedSeq = raw.copiedSeq;
}

const NO_VERDICT: Verdict = { outcome: 'unknown', cause: '', facts: [], text: '', advice: [], evidence: [] };
/** What was read of the machine is said again for so long. */
const VALUES_MS = 250;

/** Of each skb the packet as it was seen last. */
class LastPackets {
  readonly #packets: (RawPacket | undefined)[] = [];
  #newest: number | undefined;

  of(skb: number): RawPacket | undefined {
    return this.#packets[skb];
  }

  /** That of the skb itself, else of the one that came last. */
  nearest(skb: number): RawPacket | undefined {
    return this.#packets[skb] ?? (this.#newest === undefined ? undefined : this.#packets[this.#newest]);
  }

  set(skb: number, packet: RawPacket): void {
    if (!this.#packets[skb]) this.#newest = skb;
    this.#packets[skb] = packet;
  }

  /** A clone or segment is what its parent was. */
  derive(skb: number, parent: number): void {
    const packet = this.#packets[parent];
    if (packet) this.set(skb, packet);
  }
}

/** A pointer is shown, but in no note: the rules only see whether it is null or an error. */
function returnsMerePointer({ probe }: AttachOutcome): boolean {
  const isShown = probe.definition.returns.some(({ note }) => note.text.includes('%v'));
  return (probe.returnType?.includes('*') ?? false) && !isShown;
}

function explainedEvent({ notes, drop, netfilter, socket, ret }: TraceEvent): ExplainedEvent {
  return { notes, drop, netfilter, socket, ret };
}

function shownReturn(value: bigint): number | string {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : `0x${BigInt.asUintN(64, value).toString(16)}`;
}

/** What the headers say; `isOtherProto`, `tuple`: where that is not what the trace has. */
function addNumbers(
  event: TraceEvent,
  raw: RawEvent,
  packet: RawPacket,
  proto: Proto,
  isOtherProto = false,
  tuple?: Tuple,
): void {
  if (raw.skbLen) event.len = raw.skbLen;
  if (packet.pktLen) event.pktLen = packet.pktLen;
  if (isOtherProto) event.proto = proto;
  if (tuple) event.tuple = tuple;
  if (proto === 'tcp') {
    event.tcp = {
      seq: packet.seq,
      ack: packet.ack,
      flags: tcpFlagsText(packet.tcpFlags),
      win: packet.window,
      payload: packet.payload,
    };
    const { options } = raw;
    if (options) Object.assign(event.tcp, decodeTcpOptions(options));
  } else if (proto === 'icmp' || proto === 'icmpv6') {
    event.icmp = { type: packet.icmpType, code: packet.icmpCode };
    if (ECHO_TYPES.has(packet.icmpType)) {
      event.icmp.id = packet.sport;
      event.icmp.seq = packet.dport;
    }
  } else if (proto === 'arp') {
    event.arpOp = packet.arpOp;
  } else if (packet.l4Proto) {
    event.ipProtocol = packet.l4Proto;
  }
}

/** Turns what the assembler put together into the public form, with notes and a verdict. */
export class TraceBuilder {
  readonly #kernel: Kernel;
  readonly #outcomes: ReadonlyMap<number, AttachOutcome>;
  readonly #showReturns: boolean;
  readonly #values: ValueReader | undefined;
  readonly #rules: ListRules;
  readonly #facts: KernelFacts;
  readonly #clock = new WallClock();
  readonly #hidden: ReadonlySet<number>;
  readonly #shapes: ShapeTree;
  /** Settings, counters or rules of the machine were asked for while this trace is explained. */
  #hasRead = false;

  /**
   * `values`: reads what advice is about; without it notes carry no values. `rules`: lists the rules of nftables;
   * without it rules have no text.
   */
  constructor(
    kernel: Kernel,
    outcomes: readonly AttachOutcome[],
    showReturns: boolean,
    values?: ValueReader,
    rules: ListRules = () => undefined,
  ) {
    this.#rules = (netns, family, table) => {
      this.#hasRead = true;
      return rules(netns, family, table);
    };
    this.#kernel = kernel;
    this.#outcomes = new Map(outcomes.map((o) => [o.probe.id, o]));
    this.#showReturns = showReturns;
    this.#values = values;
    this.#facts = factsOf(kernel, outcomes);
    this.#hidden = new Set(outcomes.filter((o) => o.probe.definition.hidden).map((o) => o.probe.id));
    this.#shapes = new ShapeTree(new Set(outcomes.filter(returnsMerePointer).map((o) => o.probe.id)));
  }

  build(open: OpenTrace): SkbTrace {
    const trace = this.#head(open);
    const shape = this.#shapes.find(open);
    const known = shape && performance.now() < shape.until ? shape.explained : undefined;
    this.#hasRead = false;
    const last = new LastPackets();
    const events = open.events.map((event, i) => this.#event(event, open, trace, last, known?.events[i]));
    fillOwners(events);
    fillPlaces(events);
    trace.verdict = known?.verdict ?? this.#explain(events, open, trace, shape);
    trace.events = this.#hidden.size > 0 ? events.filter((_, i) => !this.#isHidden(open.events[i])) : events;
    return trace;
  }

  #head(open: OpenTrace): SkbTrace {
    const firstPacket = open.events.find((e) => e.raw.packet?.l3Proto)?.raw.packet;
    const proto = firstPacket ? protoOf(firstPacket) : 'unknown';
    const start = open.events[0]?.raw.time ?? 0;
    const end = open.events.at(-1)?.raw.time ?? start;
    const trace: SkbTrace = {
      v: 1,
      type: 'trace',
      id: open.id.toString(16),
      skbs: open.skbs.map((skb) => skb.toString(16).padStart(16, '0')),
      proto,
      start: start / 1e9,
      date: this.#clock.text(start),
      durationUs: Math.round((end - start) / 1e3),
      complete: open.complete,
      closed: open.closed,
      events: [],
      verdict: NO_VERDICT,
    };
    if (firstPacket) trace.tuple = tupleOf(firstPacket, proto);
    return trace;
  }

  /** What the rules say that see the whole trace; kept for others of its shape. */
  #explain(events: TraceEvent[], open: OpenTrace, trace: SkbTrace, shape: Shape | undefined): Verdict {
    blameHooks(events);
    nameRules(events, this.#rules);
    // a drop that is not shown is one nevertheless
    const verdict = judge({ ...trace, events }, { facts: this.#facts, read: this.#reader(placeOf(events)) });
    settleDrops(events, verdict);
    if (shape) this.#keep({ events: events.map(explainedEvent), verdict }, open, shape);
    return verdict;
  }

  #keep(explained: Explained, open: OpenTrace, shape: Shape): void {
    const place = this.#hasRead ? this.#shapes.inPlace(open, shape) : shape;
    if (this.#hasRead) place.until = performance.now() + VALUES_MS;
    place.explained = explained;
  }

  #reader(place: Place): ReadValues {
    const values = this.#values;
    if (!values) return readNothing;
    return (names) => {
      if (names.length > 0) this.#hasRead = true;
      return values.read(names, place);
    };
  }

  #event(
    assembled: AssembledEvent,
    open: OpenTrace,
    trace: SkbTrace,
    last: LastPackets,
    known: ExplainedEvent | undefined,
  ): TraceEvent {
    const { raw } = assembled;
    const outcome = this.#outcomes.get(raw.probe);
    const event: TraceEvent = {
      t: raw.time / 1e9,
      skb: assembled.skb,
      func: outcome?.probe.definition.name ?? 'unknown',
      stage: outcome?.probe.definition.stage ?? 'other',
      cpu: raw.cpu,
      notes: known?.notes ?? [],
    };
    if (raw.flags & EventFlag.fromSocket) event.fromSocket = true;
    const { meta } = raw;
    if (meta) addMeta(event, meta);
    const { bytes } = raw;
    if (bytes && bytes.bytes.length > 0) event.bytes = packetBytes(bytes);
    if (raw.kind === EventKind.derived) {
      // the parent's own record may have been lost
      event.parent = Math.max(0, open.skbs.indexOf(raw.related));
      last.derive(assembled.skb, open.skbs.indexOf(raw.related));
      return event;
    }
    if (known) {
      this.#addKnown(event, assembled, outcome, trace, last, known);
      return event;
    }
    const read = this.#reader(event);
    if (outcome?.probe.definition.note && !isAnswerToReset(outcome, raw))
      pushNote(event, visitNote(outcome.probe.definition, read));
    this.#addPacket(event, raw, trace, last);
    this.#addSections(event, assembled, outcome, read);
    const { drop } = raw;
    if (drop) this.#addDrop(event, drop, trace, read);
    return event;
  }

  /** What is known of the trace's shape, and the numbers of this packet. Its addresses are the trace's. */
  #addKnown(
    event: TraceEvent,
    { raw, returned }: AssembledEvent,
    outcome: AttachOutcome | undefined,
    trace: SkbTrace,
    last: LastPackets,
    { netfilter, socket, ret, drop }: ExplainedEvent,
  ): void {
    const readable = raw.packet?.l3Proto ? raw.packet : undefined;
    const packet = readable ?? last.nearest(event.skb);
    if (packet) addNumbers(event, raw, packet, trace.proto);
    if (readable) last.set(event.skb, readable);
    if (netfilter) event.netfilter = netfilter;
    if (socket) event.socket = socket;
    const register = typeof ret === 'string' ? (returned?.ret ?? raw.ret) : undefined;
    if (ret !== undefined)
      event.ret = register === undefined ? ret : shownReturn(typedReturn(register, outcome?.probe.returnType));
    if (drop) event.drop = drop;
  }

  #isHidden(event: AssembledEvent | undefined): boolean {
    return event !== undefined && this.#hidden.has(event.raw.probe);
  }

  #addPacket(event: TraceEvent, raw: RawEvent, trace: SkbTrace, last: LastPackets): void {
    const readable = raw.packet?.l3Proto ? raw.packet : undefined;
    const packet = readable ?? last.nearest(event.skb);
    if (!packet) return;
    const proto = protoOf(packet);
    const tuple = tupleOf(packet, proto);
    const isOther = !trace.tuple || !sameTuple(tuple, trace.tuple);
    addNumbers(event, raw, packet, proto, proto !== trace.proto, isOther ? tuple : undefined);
    if (!readable) return;
    const before = last.of(event.skb);
    if (before && !event.fromSocket) pushNote(event, rewriteNote(before, packet));
    last.set(event.skb, packet);
  }

  #functionName(address: bigint): string {
    return this.#kernel.symbolText(address).replace(/\+0x0(?= |$)/, '');
  }

  /** The queue of a listening socket. */
  #addSock(event: TraceEvent, raw: RawSock, after: RawSock | undefined): void {
    event.socket = { acceptQueue: raw.acceptQueue, acceptLimit: raw.acceptLimit };
    const state = tcpStateName(raw.state);
    if (state) event.socket.state = state;
    if (raw.state === TCP_LISTEN) {
      event.socket.synQueue = raw.synQueue;
      if (after) event.socket.synQueueAfter = after.synQueue;
      event.socket.maxSynBacklog = raw.synLimit;
      event.socket.syncookies = raw.syncookies;
    }
    if (raw.state === TCP_LISTEN && raw.acceptQueue > raw.acceptLimit) pushNote(event, acceptQueueNote(raw));
  }

  #addSections(
    event: TraceEvent,
    { raw, returned }: AssembledEvent,
    outcome: AttachOutcome | undefined,
    read: ReadValues,
  ): void {
    const isReset = outcome?.probe.definition.read === 'reset' && !isAnswerToReset(outcome, raw);
    if (raw.netfilter) {
      event.netfilter = netfilterInfo(raw.netfilter);
      if (raw.hooks) event.netfilter.hooks = raw.hooks.map((address) => ({ name: this.#functionName(address) }));
      pushNote(event, netfilterNote(event.netfilter));
    }
    const socket = returned?.socket ?? raw.socket;
    if (socket) {
      event.socket = socketInfo(socket, this.#kernel);
      event.notes.unshift(...socketNotes(event.socket, isReset));
    }
    if (raw.tcp && event.socket) addTcp(event.socket, raw.tcp);
    if (raw.stack) event.stack = stackFrames(raw.stack, this.#kernel);
    if (raw.sock) this.#addSock(event, raw.sock, returned?.sock);
    const register = returned?.ret ?? raw.ret;
    if (register !== undefined && outcome) {
      const value = typedReturn(register, outcome.probe.returnType);
      pushNote(event, returnNote(outcome, value, this.#kernel, read));
      if (this.#showReturns || outcome.probe.definition.returns.length > 0) {
        event.ret = shownReturn(value);
      }
    }
  }

  #addDrop(event: TraceEvent, drop: NonNullable<RawEvent['drop']>, trace: SkbTrace, read: ReadValues): void {
    event.drop = { location: this.#kernel.symbolText(drop.location) };
    if (drop.reason !== undefined) event.drop.reason = this.#kernel.dropReason(drop.reason);
    const why = noLoss(event, event.proto ?? trace.proto, event.tuple ?? trace.tuple);
    if (why !== undefined) event.drop.noLoss = why;
    event.notes.push(...dropNotes(event.drop, read));
  }
}

/** Frames of the program and of what called it (`__traceiter_`: where several watch a tracepoint) are not the packet's way. */
const TRACER_SYMBOL =
  /^(__)?bpf_(prog|trampoline|trace|get_stack)|^(__traceiter_|fprobe|kprobe|rethook|arch_rethook|(__|arch_)?ftrace|(asm_)?exc_int3|do_int3)/;
/** So deep they may be. */
const TRACER_FRAMES = 12;

export function stackFrames(addresses: readonly bigint[], kernel: Kernel): StackFrame[] {
  const frames = addresses.map((address) => ({
    address: address.toString(16).padStart(16, '0'),
    symbol: kernel.symbolText(address),
  }));
  // the program itself was loaded after the symbols were read and has no name: all up to the last one's caller
  const own = frames.slice(0, TRACER_FRAMES).findLastIndex((frame) => TRACER_SYMBOL.test(frame.symbol));
  return frames.slice(own + 1);
}

function packetBytes({ bytes, length, isEthernet, isCut }: RawBytes): PacketBytes {
  const link = isEthernet ? 'ethernet' : 'raw';
  const { buffer, byteOffset, byteLength } = bytes;
  return {
    link,
    hex: Buffer.from(buffer, byteOffset, byteLength).toString('hex'),
    length,
    ...(isCut ? { cut: true } : {}),
  };
}

/** The kernel asks for a reset, and sends none: what came is one itself (tcp_v4_send_reset, all versions). */
function isAnswerToReset({ probe }: AttachOutcome, { packet }: RawEvent): boolean {
  return probe.definition.read === 'reset' && packet !== undefined && (packet.tcpFlags & TCP_RST) !== 0;
}

function addMeta(event: TraceEvent, meta: RawMeta): void {
  if (meta.ifname) event.ifname = meta.ifname;
  if (meta.ifindex) event.ifindex = meta.ifindex;
  if (meta.netns) event.netns = meta.netns;
  if (meta.ownerPid) event.owner = { pid: meta.ownerPid, comm: meta.ownerComm };
  event.pid = meta.pid;
  event.comm = meta.comm;
  event.mark = meta.mark;
}

function acceptQueueNote(raw: RawSock): Note {
  return {
    level: 'error',
    text: `accept queue is full: ${raw.acceptQueue} of ${raw.acceptLimit}`,
    cause: 'accept-queue-full',
    advice: 'the server does not accept fast enough, or its backlog is small: ss -lnt; listen(2), net.core.somaxconn',
  };
}

/** Where the packet ended, as far as it is known: settings and counters are that namespace's. */
function placeOf(events: readonly TraceEvent[]): Place {
  const { netns } = events.findLast((event) => event.netns !== undefined) ?? {};
  return { netns, ifname: events.findLast((event) => event.ifname !== undefined && event.netns === netns)?.ifname };
}

/** Of an RST place and reason may not say whether it was refused; where the verdict knows, its lines say the same. */
function settleDrops(events: readonly TraceEvent[], { outcome, cause, text }: Verdict): void {
  for (const event of events) {
    if (event.drop?.noLoss === undefined || !event.tcp?.flags.includes('R')) continue;
    if (outcome === 'dropped') delete event.drop.noLoss;
    else if (cause === 'rst-did-its-work') event.drop.noLoss = text;
    else continue;
    event.notes = [...event.notes.filter((note) => !isDropNote(note)), ...dropNotes(event.drop)];
  }
}

function pushNote(event: TraceEvent, note: Note | undefined): void {
  if (note) event.notes.push(note);
}

/** Addresses or ports changed since the last sight of this skb, or it is in another packet now, or out of one. */
function rewriteNote(before: RawPacket, now: RawPacket): Note | undefined {
  const oldProto = protoOf(before);
  const newProto = protoOf(now);
  const oldTuple = tupleOf(before, oldProto);
  const newTuple = tupleOf(now, newProto);
  if (oldProto !== newProto || before.l3Proto !== now.l3Proto) {
    return { level: 'info', text: `headers changed from ${oldProto} to ${newProto}: ${endpointText(newTuple)}` };
  }
  if (sameTuple(oldTuple, newTuple)) return undefined;
  return {
    level: 'info',
    text: `packet is rewritten (NAT): ${endpointText(oldTuple)} is now ${endpointText(newTuple)}`,
    cause: 'nat-rewritten',
  };
}
