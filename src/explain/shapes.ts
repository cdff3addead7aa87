import type { AssembledEvent, OpenTrace } from '../assemble/assembler.js';
import { LITTLE } from '../decode/byte-order.js';
import { KernelRecord, type RawEvent } from '../decode/records.js';
import {
  EventDrop,
  EventKind,
  EventMeta,
  EventNetfilter,
  EventPacket,
  EventSection,
  EventSocket,
} from '../generated/layout.js';
import type { DropInfo, NetfilterInfo, Note, SocketInfo, TraceEvent, Verdict } from '../types.js';

/** What the rules said of an event, and what of it is the same in all traces of a shape. */
export interface ExplainedEvent {
  notes: Note[];
  drop: DropInfo | undefined;
  netfilter: NetfilterInfo | undefined;
  socket: SocketInfo | undefined;
  ret: TraceEvent['ret'];
}

/** What the rules said of a trace. */
export interface Explained {
  events: ExplainedEvent[];
  verdict: Verdict;
}

/** Where the walk of a trace ends: the place of what is said of all traces of this shape. */
export interface Shape {
  explained: Explained | undefined;
  /** Settings and counters are in what is said: it holds for traces of the same place, and until then, milliseconds. */
  until: number;
  isOfPlace: boolean;
}

interface Node extends Shape {
  next: Map<number, Node> | undefined;
}

function newNode(): Node {
  return { next: undefined, explained: undefined, until: Number.POSITIVE_INFINITY, isOfPlace: false };
}

/** Sections from which the rules read numbers that differ from packet to packet. */
const NUMBERS = EventSection.sock | EventSection.tcp | EventSection.latency | EventSection.stack | EventSection.hooks;
const MAX_NODES = 50_000;
const MAX_SKBS = 64;
const IPPROTO_TCP = 6;
const IPPROTO_UDP = 17;
const ETH_P_IPV6 = 0x86dd;
const BROADCAST = 0xffffffff;
const PACKET_ADDRESSES = 32;
const IS_POINTER = 1;
const IS_ERROR_POINTER = 2;
const IS_NULL = 3;

/**
 * Most packets go the same few ways. What the rules say of a trace (notes, drops, the verdict) depends on its shape: all
 * that they read of it, and not on times, addresses, ports and sequence numbers. Shapes are a tree: each number that a
 * rule may read leads one step on. A trace of which the rules may read more than the tree knows has no shape.
 */
export class ShapeTree {
  readonly #pointers: ReadonlySet<number>;
  #root = newNode();
  #nodes = 0;
  #at: Node = this.#root;

  /** `pointers`: probes on functions that return one, of which the rules only see whether it is null or an error. */
  constructor(pointers: ReadonlySet<number>) {
    this.#pointers = pointers;
  }

  /** The trace's shape; undefined where it has none. */
  find(open: OpenTrace): Shape | undefined {
    if (this.#nodes > MAX_NODES) {
      this.#root = newNode();
      this.#nodes = 0;
    }
    this.#at = this.#root;
    if (open.skbs.length > MAX_SKBS) return undefined;
    let first: KernelRecord | undefined;
    let time = -1;
    for (const event of open.events) {
      const { raw } = event;
      if (!(raw instanceof KernelRecord)) return undefined;
      // as events have it: whether one was before another may count
      const now = raw.time / 1e9;
      this.#step(now === time ? 1 : 0);
      time = now;
      if (!this.#walk(event, raw, open, first)) return undefined;
      if (!first && isReadable(raw)) first = raw;
    }
    if (!first) return undefined;
    this.#step(-1);
    this.#step((open.complete ? 1 : 0) | (open.closed.charCodeAt(0) << 1));
    if (this.#at.isOfPlace) this.#walkPlaces(open);
    return this.#at;
  }

  /** The shape of this trace, whose place counts, in its place. */
  inPlace(open: OpenTrace, shape: Shape): Shape {
    shape.isOfPlace = true;
    return this.find(open) ?? shape;
  }

  #walkPlaces(open: OpenTrace): void {
    for (const { raw } of open.events) {
      if (!(raw instanceof KernelRecord) || !(raw.sections & EventSection.meta)) continue;
      const at = raw.offset(EventSection.meta);
      this.#step(raw.view.getInt32(at + EventMeta.netns, LITTLE));
      for (let i = EventMeta.ifname; i < EventMeta.comm; i += 4) this.#step(raw.view.getInt32(at + i, LITTLE));
    }
  }

  #step(number: number): void {
    this.#at.next ??= new Map();
    let node = this.#at.next.get(number);
    if (!node) {
      node = newNode();
      this.#nodes++;
      this.#at.next.set(number, node);
    }
    this.#at = node;
  }

  /** False where the trace has no shape. */
  #walk(event: AssembledEvent, raw: KernelRecord, open: OpenTrace, first: KernelRecord | undefined): boolean {
    const { sections, kind, probe } = raw;
    if (sections & NUMBERS || raw.stack || raw.hooks) return false;
    this.#step(probe | (kind << 16) | (raw.flags << 19));
    this.#step(event.skb | (sections << 6));
    if (kind === EventKind.derived) {
      this.#step(open.skbs.indexOf(raw.related));
      return true;
    }
    if (sections & EventSection.packet && !this.#walkPacket(raw, first)) return false;
    if (sections & EventSection.drop) this.#walkDrop(raw);
    if (sections & EventSection.netfilter && !this.#walkNetfilter(raw)) return false;
    return this.#walkResult(raw, probe) && this.#walkReturned(event.returned, probe);
  }

  /** Its addresses and ports, which must be those of the first packet, do not count. */
  #walkPacket(raw: KernelRecord, first: KernelRecord | undefined): boolean {
    const { view } = raw;
    const at = raw.offset(EventSection.packet);
    const protos = view.getInt32(at + EventPacket.l3Proto, LITTLE);
    this.#step(protos);
    const types = view.getUint32(at + EventPacket.icmpType, LITTLE) & 0xffff;
    this.#step(types | (view.getUint32(at + EventPacket.payload, LITTLE) === 0 ? 0 : 0x10000));
    return !first || !isReadable(raw) || isSamePacket(view, at, first.view, first.offset(EventSection.packet));
  }

  #walkDrop(raw: KernelRecord): void {
    const { view } = raw;
    const at = raw.offset(EventSection.drop);
    for (let i = EventDrop.location; i < EventDrop.size; i += 4) this.#step(view.getInt32(at + i, LITTLE));
    // whom it was for decides whether it is a loss
    if (raw.sections & EventSection.packet) this.#step(destinationKind(view, raw.offset(EventSection.packet)));
  }

  #walkNetfilter(raw: KernelRecord): boolean {
    const { view } = raw;
    const at = raw.offset(EventSection.netfilter);
    if (view.getBigUint64(at + EventNetfilter.rule, LITTLE) !== 0n) return false;
    this.#step(view.getInt32(at, LITTLE));
    if (view.getUint8(at + EventNetfilter.hasNames) === 0) return true;
    for (let i = EventNetfilter.table; i < EventNetfilter.size; i += 4) this.#step(view.getInt32(at + i, LITTLE));
    return true;
  }

  /** What the function did to its socket, and what it returned. */
  #walkResult(raw: KernelRecord, probe: number): boolean {
    const { sections, view } = raw;
    if (sections & EventSection.socket) {
      const at = raw.offset(EventSection.socket);
      for (let i = 0; i < EventSocket.size; i += 4) this.#step(view.getInt32(at + i, LITTLE));
    }
    if (!(sections & EventSection.return)) return true;
    const at = raw.offset(EventSection.return);
    const low = view.getInt32(at, LITTLE);
    const high = view.getInt32(at + 4, LITTLE);
    if (!this.#pointers.has(probe)) {
      this.#step(low);
      this.#step(high);
      // what a register holds beyond the number that was returned may be anything
      return high === 0 || high === -1;
    }
    const isNull = high === 0 && low === 0;
    this.#step(isNull ? IS_NULL : high === -1 ? IS_ERROR_POINTER : IS_POINTER);
    if (high === -1) this.#step(low);
    return high < 0 || isNull;
  }

  #walkReturned(returned: RawEvent | undefined, probe: number): boolean {
    if (!returned) {
      this.#step(0);
      return true;
    }
    if (!(returned instanceof KernelRecord) || returned.sections & NUMBERS) return false;
    this.#step(returned.sections + 1);
    return this.#walkResult(returned, probe);
  }
}

function isReadable(raw: KernelRecord): boolean {
  if (!(raw.sections & EventSection.packet)) return false;
  return raw.view.getUint16(raw.offset(EventSection.packet) + EventPacket.l3Proto, LITTLE) !== 0;
}

/** The same addresses, protocols and ports. */
function isSamePacket(a: DataView, aAt: number, b: DataView, bAt: number): boolean {
  for (let i = 0; i < PACKET_ADDRESSES; i += 4) if (a.getUint32(aAt + i) !== b.getUint32(bAt + i)) return false;
  if (a.getUint16(aAt + EventPacket.l3Proto) !== b.getUint16(bAt + EventPacket.l3Proto)) return false;
  const proto = a.getUint8(aAt + EventPacket.l4Proto);
  if (proto !== b.getUint8(bAt + EventPacket.l4Proto)) return false;
  if (proto !== IPPROTO_TCP && proto !== IPPROTO_UDP) return true;
  return a.getUint32(aAt + EventPacket.sport) === b.getUint32(bAt + EventPacket.sport);
}

/** 1 multicast, 2 broadcast, 0 any other. */
function destinationKind(view: DataView, at: number): number {
  const head = view.getUint32(at + EventPacket.daddr);
  if (view.getUint16(at + EventPacket.l3Proto, LITTLE) === ETH_P_IPV6) return head >>> 24 === 0xff ? 1 : 0;
  if (head === BROADCAST) return 2;
  return head >>> 28 === 0xe ? 1 : 0;
}
