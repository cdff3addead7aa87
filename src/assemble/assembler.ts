import { KernelRecord, type RawDetails, type RawEvent } from '../decode/records.js';
import { EventFlag, EventHead, EventKind } from '../generated/layout.js';
import type { SkbTrace } from '../types.js';
import { noPages, type Pages, RecordStore } from './record-store.js';
import { U64Map } from './u64-map.js';

/** A trace when it is handed on. Its records are to be read now: their bytes are used again. */
export interface OpenTrace {
  id: bigint;
  /** Addresses in order of appearance. */
  skbs: bigint[];
  /** In the order of their times; returns are merged into their visits. */
  events: AssembledEvent[];
  complete: boolean;
  closed: SkbTrace['closed'];
}

/** An event with what the function's return said about it. */
export interface AssembledEvent {
  raw: RawEvent;
  /** Index into the trace's `skbs`. */
  skb: number;
  returned: RawEvent | undefined;
}

export interface AssemblerOptions {
  /** A trace whose skbs are all freed waits so long for returns of functions that it is still in, ms. */
  graceMs: number;
  /** A trace that is silent for so long is closed, ms. */
  ageMs: number;
  /** Traces that may be open at once; the oldest is closed when there are more. */
  maxOpen: number;
  /** Events that one trace may have. */
  maxEvents: number;
  /** Bytes that records of open traces may take; the oldest trace is closed when they are more. */
  maxBytes: number;
  /** May packets be seen first at this probe? */
  isEntry(probe: number): boolean;
  onTrace(trace: OpenTrace): void;
  /** These skbs are no longer followed: their trace was closed before they were freed. */
  onForget(skbs: bigint[], traceId: bigint): void;
}

/** A trace while it is being put together. */
interface Working {
  /** Halves of the id, signed. */
  high: number;
  low: number;
  /** Halves of the addresses, in order of appearance, and which of them are not freed yet. */
  skbHighs: number[];
  skbLows: number[];
  isLive: boolean[];
  live: number;
  pages: Pages;
  /** Handles of records, and for each the index of its skb. */
  events: number[];
  skbOf: number[];
  /** Handles of returns, by the index of their event. */
  returns: Map<number, number> | undefined;
  /** By handle. */
  details: Map<number, RawDetails> | undefined;
  /** Time of the last event; not a number once they are not in the order of their times. */
  lastTime: number;
  complete: boolean;
  lastArrival: number;
  /** When the last skb was freed; 0 while one lives. */
  endedAt: number;
  isOpen: boolean;
  /** How often it is in `ending`. */
  endings: number;
  /** An skb's address was used again before its free was seen. */
  reused: boolean;
  /** It is a packet socket's copy of a packet that has its own trace, and is not handed on. */
  isCopy: boolean;
}

function newWorking(): Working {
  return {
    high: 0,
    low: 0,
    skbHighs: [],
    skbLows: [],
    isLive: [],
    live: 0,
    pages: noPages(),
    events: [],
    skbOf: [],
    returns: undefined,
    details: undefined,
    lastTime: 0,
    complete: false,
    lastArrival: 0,
    endedAt: 0,
    isOpen: false,
    endings: 0,
    reused: false,
    isCopy: false,
  };
}

/** As new: what lives for some ten milliseconds is expensive for the collector, so it is used again. */
function empty(trace: Working): void {
  trace.skbHighs.length = 0;
  trace.skbLows.length = 0;
  trace.isLive.length = 0;
  trace.live = 0;
  trace.events.length = 0;
  trace.skbOf.length = 0;
  trace.returns = undefined;
  trace.details = undefined;
  trace.lastTime = 0;
  trace.endedAt = 0;
  trace.reused = false;
}

/** Traces that may go on after they were closed early. */
const MAX_CLOSED_EARLY = 1024;

/** Puts events together to traces, by the trace id that the kernel side gave. Times are milliseconds of one clock. */
export class Assembler {
  /** Events that came for a trace that was closed already, or that had its fill. */
  orphans = 0;
  readonly #options: AssemblerOptions;
  readonly #store: RecordStore;
  readonly #byId = new U64Map<Working>();
  readonly #bySkb = new U64Map<Working>();
  /** The oldest first. */
  readonly #open = new Set<Working>();
  /** Traces whose skbs are all freed, in that order, from `#nextEnding` on. */
  #ending: Working[] = [];
  #nextEnding = 0;
  /** Those that closeIn() closed: records of theirs may still have been on their way. */
  readonly #closedEarly = new Set<Working>();
  readonly #closedEarlyById = new U64Map<Working>();
  /** Moved to records that are only looked at. */
  readonly #looking = new KernelRecord(new DataView(new ArrayBuffer(0)));
  readonly #unused: Working[] = [];
  #nextAgeCheck = 0;
  #lostUntil = 0;

  constructor(options: AssemblerOptions) {
    this.#options = options;
    this.#store = new RecordStore(options.maxBytes);
  }

  get openTraces(): number {
    return this.#open.size;
  }

  add(record: KernelRecord, now: number): void {
    if (this.#store.isFull) this.#closeOldest();
    const high = record.u32(EventHead.traceId + 4) | 0;
    const low = record.u32(EventHead.traceId) | 0;
    const { kind } = record;
    let trace = this.#byId.get(high, low) ?? this.#resume(high, low, now);
    if (!trace) {
      // a return may come after its trace was closed; anything but a first sight has lost its beginning
      if (kind === EventKind.return) {
        this.orphans++;
        return;
      }
      trace = this.#begin(record, high, low, now);
    }
    trace.lastArrival = now;
    if (kind === EventKind.return) {
      this.#merge(trace, record);
      return;
    }
    const skb = this.#follow(trace, record, kind, now);
    if (trace.events.length >= this.#options.maxEvents) {
      trace.complete = false;
      this.orphans++;
    } else {
      this.#keep(trace, record, skb);
    }
  }

  /**
   * Something was lost up to `time` (nanoseconds of CLOCK_MONOTONIC): what is open may lack events, and so may traces whose
   * first records still wait to be read.
   */
  markIncomplete(time: number): void {
    this.#lostUntil = time;
    for (const trace of this.#open) trace.complete = false;
  }

  /** Closes what is due. Call it after each batch and from a timer. */
  flush(now: number): void {
    for (; this.#nextEnding < this.#ending.length; this.#nextEnding++) {
      const trace = this.#ending[this.#nextEnding];
      if (!trace) continue;
      if (trace.endedAt && now - trace.endedAt < this.#options.graceMs) break;
      trace.endings--;
      if (trace.endedAt) this.#close(trace, 'freed');
    }
    if (this.#nextEnding * 2 > this.#ending.length) {
      this.#ending = this.#ending.slice(this.#nextEnding);
      this.#nextEnding = 0;
    }
    if (now < this.#nextAgeCheck) return;
    this.#nextAgeCheck = now + Math.min(100, this.#options.ageMs / 2);
    for (const trace of this.#open) {
      if (!trace.endedAt && now - trace.lastArrival >= this.#options.ageMs) this.#close(trace, 'age');
    }
  }

  /**
   * Is a trace open whose first event was in one of these network namespaces (inodes; events need metadata), and which is
   * about to be closed, or had an event after `since`?
   */
  isBusyIn(namespaces: ReadonlySet<number>, since: number): boolean {
    for (const trace of this.#open) {
      if ((trace.endedAt || trace.lastArrival > since) && this.#beganIn(trace, namespaces)) return true;
    }
    return false;
  }

  /**
   * Closes these traces, and follows what is left of their skbs no longer. One of which a record still comes goes on, and is
   * handed on again with all of it.
   */
  closeIn(namespaces: ReadonlySet<number>): void {
    for (const trace of this.#open) {
      if (!this.#beganIn(trace, namespaces)) continue;
      this.#handOn(trace, trace.endedAt ? 'freed' : 'end', true);
      const [oldest] = this.#closedEarly;
      if (this.#closedEarly.size >= MAX_CLOSED_EARLY && oldest) {
        this.#closedEarly.delete(oldest);
        this.#closedEarlyById.delete(oldest.high, oldest.low);
        this.#store.giveBack(oldest.pages);
      }
      this.#closedEarly.add(trace);
      this.#closedEarlyById.set(trace.high, trace.low, trace);
    }
  }

  /** Closes everything: the end of the run. */
  end(): void {
    for (const trace of this.#open) this.#close(trace, trace.endedAt ? 'freed' : 'end');
    this.#ending = [];
    this.#nextEnding = 0;
  }

  #beganIn(trace: Working, namespaces: ReadonlySet<number>): boolean {
    for (const handle of trace.events) {
      const { netns } = this.#store.look(handle, this.#looking);
      if (netns) return namespaces.has(netns);
    }
    return false;
  }

  #resume(high: number, low: number, now: number): Working | undefined {
    const trace = this.#closedEarlyById.get(high, low);
    if (!trace) return undefined;
    this.#closedEarlyById.delete(high, low);
    this.#closedEarly.delete(trace);
    this.#insert(trace);
    if (trace.endedAt) {
      this.#end(trace, now);
    }
    return trace;
  }

  #insert(trace: Working): void {
    trace.isOpen = true;
    this.#byId.set(trace.high, trace.low, trace);
    this.#open.add(trace);
  }

  #closeOldest(): void {
    const [oldest] = this.#open;
    if (!oldest) return;
    // what comes of it later has no trace any more
    if (!oldest.endedAt) oldest.complete = false;
    this.#close(oldest, oldest.endedAt ? 'freed' : 'age');
  }

  #begin(record: KernelRecord, high: number, low: number, now: number): Working {
    if (this.#open.size >= this.#options.maxOpen) this.#closeOldest();
    const trace = this.#unused.pop() ?? newWorking();
    trace.high = high;
    trace.low = low;
    const isFirst = (record.flags & EventFlag.firstSight) !== 0;
    trace.complete = isFirst && record.time > this.#lostUntil;
    // Where neither clones nor all frees are seen, a packet socket's clone may have the address of a packet that is still followed: so
    // it is seen at the next probe that it passes, when it is read.
    trace.isCopy = isFirst && !this.#options.isEntry(record.probe);
    trace.lastArrival = now;
    this.#insert(trace);
    return trace;
  }

  #keep(trace: Working, record: KernelRecord, skb: number): void {
    const handle = this.#store.keep(record, trace.pages);
    if (record.details) {
      trace.details ??= new Map();
      trace.details.set(handle, record.details);
    }
    const { time } = record;
    trace.lastTime = time >= trace.lastTime ? time : Number.NaN;
    trace.events.push(handle);
    trace.skbOf.push(skb);
  }

  /** The index of the record's skb. */
  #follow(trace: Working, record: KernelRecord, kind: number, now: number): number {
    const high = record.u32(EventHead.skb + 4) | 0;
    const low = record.u32(EventHead.skb) | 0;
    const { skbHighs, skbLows } = trace;
    let skb = 0;
    while (skb < skbLows.length && (skbLows[skb] !== low || skbHighs[skb] !== high)) skb++;
    if (skb === skbLows.length) {
      skbHighs.push(high);
      skbLows.push(low);
      trace.isLive.push(false);
      // the address was in another trace, whose end nothing reported
      const former = this.#bySkb.get(high, low);
      if (former && former !== trace) {
        former.reused = true;
        this.#endSkb(former, high, low, now);
      }
    }
    if (kind === EventKind.free || kind === EventKind.drop) {
      this.#endSkb(trace, high, low, now);
    } else if (!trace.isLive[skb]) {
      trace.isLive[skb] = true;
      trace.live++;
      this.#bySkb.set(high, low, trace);
      trace.endedAt = 0;
    }
    return skb;
  }

  #endSkb(trace: Working, high: number, low: number, now: number): void {
    for (let skb = 0; skb < trace.skbLows.length; skb++) {
      if (trace.skbLows[skb] !== low || trace.skbHighs[skb] !== high || !trace.isLive[skb]) continue;
      trace.isLive[skb] = false;
      trace.live--;
    }
    if (this.#bySkb.get(high, low) === trace) this.#bySkb.delete(high, low);
    if (trace.live === 0 && !trace.endedAt) {
      this.#end(trace, now);
    }
  }

  #end(trace: Working, now: number): void {
    trace.endedAt = now;
    trace.endings++;
    this.#ending.push(trace);
  }

  #merge(trace: Working, record: KernelRecord): void {
    const low = record.u32(EventHead.related);
    const high = record.u32(EventHead.related + 4);
    const { probe } = record;
    const { events } = trace;
    for (let i = events.length - 1; i >= 0; i--) {
      const visit = this.#store.look(events[i] ?? 0, this.#looking);
      if (visit.probe !== probe || visit.u32(EventHead.timeNs) !== low || visit.u32(EventHead.timeNs + 4) !== high)
        continue;
      trace.returns ??= new Map();
      trace.returns.set(i, this.#store.keep(record, trace.pages));
      return;
    }
    this.orphans++;
  }

  #close(trace: Working, why: OpenTrace['closed']): void {
    if (!trace.isOpen) return; // closed before its time in `ending` came
    this.#handOn(trace, why, why === 'age');
    this.#store.giveBack(trace.pages);
    if (trace.endings > 0) return;
    empty(trace);
    this.#unused.push(trace);
  }

  #handOn(trace: Working, why: OpenTrace['closed'], isEarly: boolean): void {
    trace.isOpen = false;
    this.#open.delete(trace);
    this.#byId.delete(trace.high, trace.low);
    const live: bigint[] = [];
    for (let i = 0; i < trace.isLive.length; i++) {
      if (!trace.isLive[i]) continue;
      const high = trace.skbHighs[i] ?? 0;
      const low = trace.skbLows[i] ?? 0;
      live.push(join(high, low));
      if (this.#bySkb.get(high, low) === trace) this.#bySkb.delete(high, low);
    }
    const id = join(trace.high, trace.low);
    if (live.length > 0 && isEarly) this.#options.onForget(live, id);
    if (trace.isCopy) return;
    this.#options.onTrace({
      id,
      skbs: trace.skbLows.map((low, i) => join(trace.skbHighs[i] ?? 0, low)),
      events: this.#eventsOf(trace),
      complete: trace.complete,
      closed: why === 'freed' && trace.reused ? 'reused' : why,
    });
  }

  #eventsOf(trace: Working): AssembledEvent[] {
    const events = trace.events.map((handle, i) => {
      const raw = this.#store.record(handle);
      raw.details = trace.details?.get(handle);
      const returned = trace.returns?.get(i);
      return {
        raw,
        skb: trace.skbOf[i] ?? 0,
        returned: returned === undefined ? undefined : this.#store.record(returned),
      };
    });
    // CPUs reserve records in an order that need not be that of their clocks
    return Number.isNaN(trace.lastTime) ? events.sort((a, b) => a.raw.time - b.raw.time) : events;
  }
}

function join(high: number, low: number): bigint {
  return (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0);
}
