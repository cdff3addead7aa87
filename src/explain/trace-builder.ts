import type { AssembledEvent, OpenTrace } from '../assemble/assembler.js';
import { tcpFlagsText, tcpStateName } from '../decode/names.js';
import type { RawEvent, RawMeta, RawPacket, RawSocket } from '../decode/records.js';
import { decodeTcpOptions } from '../decode/tcp-options.js';
import { EventFlag, EventKind } from '../generated/layout.js';
import type { AttachOutcome } from '../load/backends.js';
import type { Kernel } from '../load/kernel.js';
import type { Note, Proto, SkbTrace, SocketInfo, TraceEvent, Tuple } from '../types.js';
import { dropNotes, netfilterInfo, netfilterNote, returnNote, socketNotes, typedReturn, visitNote } from './notes.js';
import { judge } from './verdict.js';

const IPPROTO_ICMP = 1;
const IPPROTO_TCP = 6;
const IPPROTO_UDP = 17;
const IPPROTO_ICMPV6 = 58;
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

function tupleOf(packet: RawPacket, proto: Proto): Tuple {
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
  if (raw.tsRecent !== undefined) info.tsRecent = raw.tsRecent;
  return info;
}

/** Turns what the assembler put together into the public form, with notes and a verdict. */
export class TraceBuilder {
  readonly #kernel: Kernel;
  readonly #outcomes: ReadonlyMap<number, AttachOutcome>;
  readonly #showReturns: boolean;
  /** Microseconds to add to the monotonic clock for wall-clock time. */
  readonly #clockOffsetUs: number;

  constructor(kernel: Kernel, outcomes: readonly AttachOutcome[], showReturns: boolean) {
    this.#kernel = kernel;
    this.#outcomes = new Map(outcomes.map((o) => [o.probe.id, o]));
    this.#showReturns = showReturns;
    this.#clockOffsetUs = Date.now() * 1e3 - Number(process.hrtime.bigint()) / 1e3;
  }

  build(open: OpenTrace): SkbTrace {
    const firstPacket = open.events.find((e) => e.raw.packet?.l3Proto)?.raw.packet;
    const proto = firstPacket ? protoOf(firstPacket) : 'unknown';
    const start = open.events[0]?.raw.time ?? 0;
    const end = open.events.at(-1)?.raw.time ?? start;
    const trace: SkbTrace = {
      v: 1,
      id: open.id.toString(16),
      skbs: open.skbs.map((skb) => skb.toString(16).padStart(16, '0')),
      proto,
      start: start / 1e9,
      date: isoMicroseconds(start / 1e3 + this.#clockOffsetUs),
      durationUs: Math.round((end - start) / 1e3),
      complete: open.complete,
      closed: open.closed,
      events: [],
      verdict: { outcome: 'open', cause: '', text: '', advice: [], evidence: [] },
    };
    if (firstPacket) trace.tuple = tupleOf(firstPacket, proto);
    const last = new Map<bigint, RawPacket>();
    for (const event of open.events) trace.events.push(this.#event(event, open, trace, last));
    trace.verdict = judge(trace.events, open.closed);
    return trace;
  }

  #event(assembled: AssembledEvent, open: OpenTrace, trace: SkbTrace, last: Map<bigint, RawPacket>): TraceEvent {
    const { raw } = assembled;
    const outcome = this.#outcomes.get(raw.probe);
    const event: TraceEvent = {
      t: raw.time / 1e9,
      skb: open.skbs.indexOf(raw.skb),
      func: outcome?.probe.definition.name ?? 'unknown',
      stage: outcome?.probe.definition.stage ?? 'other',
      cpu: raw.cpu,
      notes: [],
    };
    if (raw.flags & EventFlag.fromSocket) event.fromSocket = true;
    if (raw.meta) addMeta(event, raw.meta);
    if (raw.kind === EventKind.derived) {
      // the parent's own record may have been lost
      event.parent = Math.max(0, open.skbs.indexOf(raw.related));
      const parent = last.get(raw.related);
      if (parent) last.set(raw.skb, parent);
      return event;
    }
    if (outcome?.probe.definition.note) pushNote(event, visitNote(outcome.probe.definition));
    this.#addPacket(event, raw, trace, last);
    this.#addSections(event, raw, assembled.returned, outcome);
    return event;
  }

  #addPacket(event: TraceEvent, raw: RawEvent, trace: SkbTrace, last: Map<bigint, RawPacket>): void {
    const former = last.get(raw.skb) ?? [...last.values()].at(-1);
    const readable = raw.packet?.l3Proto ? raw.packet : undefined;
    const packet = readable ?? former;
    if (!packet) return;
    const proto = protoOf(packet);
    const tuple = tupleOf(packet, proto);
    event.len = raw.packet?.pktLen || packet.pktLen;
    if (proto !== trace.proto) event.proto = proto;
    if (!trace.tuple || !sameTuple(tuple, trace.tuple)) event.tuple = tuple;
    if (proto === 'tcp') {
      event.tcp = {
        seq: packet.seq,
        ack: packet.ack,
        flags: tcpFlagsText(packet.tcpFlags),
        win: packet.window,
        payload: packet.payload,
        ...(raw.options ? decodeTcpOptions(raw.options) : {}),
      };
    } else if (proto === 'icmp' || proto === 'icmpv6') {
      event.icmp = { type: packet.icmpType, code: packet.icmpCode };
      if (ECHO_TYPES.has(packet.icmpType)) {
        event.icmp.id = packet.sport;
        event.icmp.seq = packet.dport;
      }
    } else if (proto === 'arp') {
      event.arpOp = packet.arpOp;
    }
    if (!readable) return;
    const before = last.get(raw.skb);
    if (before && !event.fromSocket) pushNote(event, rewriteNote(before, packet));
    last.set(raw.skb, packet);
  }

  #addSections(
    event: TraceEvent,
    raw: RawEvent,
    returned: RawEvent | undefined,
    outcome: AttachOutcome | undefined,
  ): void {
    const isReset = outcome?.probe.definition.read === 'reset';
    if (raw.netfilter) {
      event.netfilter = netfilterInfo(raw.netfilter);
      pushNote(event, netfilterNote(event.netfilter));
    }
    const socket = returned?.socket ?? raw.socket;
    if (socket) {
      event.socket = socketInfo(socket, this.#kernel);
      event.notes.unshift(...socketNotes(event.socket, isReset));
    }
    if (raw.drop) {
      event.drop = { location: this.#kernel.symbolText(raw.drop.location) };
      if (raw.drop.reason !== undefined) event.drop.reason = this.#kernel.dropReason(raw.drop.reason);
      event.notes.push(...dropNotes(event.drop));
    }
    const register = returned?.ret ?? raw.ret;
    if (register !== undefined && outcome) {
      const value = typedReturn(register, outcome.probe.returnType);
      pushNote(event, returnNote(outcome, value, this.#kernel));
      if (this.#showReturns || outcome.probe.definition.returns.length > 0) {
        event.ret = Number.isSafeInteger(Number(value)) ? Number(value) : `0x${BigInt.asUintN(64, value).toString(16)}`;
      }
    }
  }
}

/** Microseconds since 1970 in ISO 8601. */
function isoMicroseconds(us: number): string {
  const whole = Math.floor(us);
  const text = new Date(Math.floor(whole / 1000)).toISOString();
  return `${text.slice(0, -1)}${String(whole % 1000).padStart(3, '0')}Z`;
}

function addMeta(event: TraceEvent, meta: RawMeta): void {
  if (meta.ifname) event.ifname = meta.ifname;
  if (meta.ifindex) event.ifindex = meta.ifindex;
  if (meta.netns) event.netns = meta.netns;
  event.pid = meta.pid;
  event.comm = meta.comm;
  event.mark = meta.mark;
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
  };
}
