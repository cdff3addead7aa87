import type { RawEvent } from '../decode/records.js';
import { EventFlag, EventKind } from '../generated/layout.js';
import type { SkbTrace } from '../types.js';

/** A trace while it is being put together, and when it is handed on. */
export interface OpenTrace {
  id: bigint;
  /** Addresses in order of appearance. */
  skbs: bigint[];
  /** In the order of their times once the trace is closed; returns are merged into their visits. */
  events: AssembledEvent[];
  complete: boolean;
  closed: SkbTrace['closed'];
}

/** An event with what the function's return said about it. */
export interface AssembledEvent {
  raw: RawEvent;
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
  onTrace(trace: OpenTrace): void;
  /** These skbs are no longer followed: their trace was closed before they were freed. */
  onForget(skbs: bigint[], traceId: bigint): void;
}

interface Working extends OpenTrace {
  live: Set<bigint>;
  lastArrival: number;
  /** When the last skb was freed; 0 while one lives. */
  endedAt: number;
  /** An skb's address was used again before its free was seen. */
  reused: boolean;
}

/** Puts events together to traces, by the trace id that the kernel side gave. Times are milliseconds of one clock. */
export class Assembler {
  /** Events that came for a trace that was closed already, or that had its fill. */
  orphans = 0;
  readonly #options: AssemblerOptions;
  readonly #open = new Map<bigint, Working>();
  readonly #bySkb = new Map<bigint, Working>();
  /** Traces whose skbs are all freed, in that order. */
  #ending: Working[] = [];
  #nextAgeCheck = 0;
  #lostUntil = 0;

  constructor(options: AssemblerOptions) {
    this.#options = options;
  }

  get openTraces(): number {
    return this.#open.size;
  }

  add(raw: RawEvent, now: number): void {
    let trace = this.#open.get(raw.traceId);
    if (!trace) {
      // a return may come after its trace was closed; anything but a first sight has lost its beginning
      if (raw.kind === EventKind.return) {
        this.orphans++;
        return;
      }
      trace = this.#begin(raw, now);
    }
    trace.lastArrival = now;
    if (raw.kind === EventKind.return) {
      this.#merge(trace, raw);
      return;
    }
    if (trace.events.length >= this.#options.maxEvents) {
      trace.complete = false;
      this.orphans++;
    } else {
      trace.events.push({ raw, returned: undefined });
    }
    this.#follow(trace, raw, now);
  }

  /**
   * Something was lost up to `time` (nanoseconds of CLOCK_MONOTONIC): what is open may lack events, and so may traces whose
   * first records still wait to be read.
   */
  markIncomplete(time: number): void {
    this.#lostUntil = time;
    for (const trace of this.#open.values()) trace.complete = false;
  }

  /** Closes what is due. Call it after each batch and from a timer. */
  flush(now: number): void {
    let done = 0;
    for (const trace of this.#ending) {
      if (trace.endedAt && now - trace.endedAt < this.#options.graceMs) break;
      done++;
      if (trace.endedAt) this.#close(trace, 'freed');
    }
    if (done) this.#ending = this.#ending.slice(done);
    if (now < this.#nextAgeCheck) return;
    this.#nextAgeCheck = now + Math.min(100, this.#options.ageMs / 2);
    for (const trace of this.#open.values()) {
      if (!trace.endedAt && now - trace.lastArrival >= this.#options.ageMs) this.#close(trace, 'age');
    }
  }

  /** Closes everything: the end of the run. */
  end(): void {
    for (const trace of this.#open.values()) this.#close(trace, trace.endedAt ? 'freed' : 'end');
    this.#ending = [];
  }

  #begin(raw: RawEvent, now: number): Working {
    if (this.#open.size >= this.#options.maxOpen) {
      const oldest = this.#open.values().next().value;
      if (oldest) {
        // what comes of it later has no trace any more
        if (!oldest.endedAt) oldest.complete = false;
        this.#close(oldest, oldest.endedAt ? 'freed' : 'age');
      }
    }
    const trace: Working = {
      id: raw.traceId,
      skbs: [],
      events: [],
      complete: (raw.flags & EventFlag.firstSight) !== 0 && raw.time > this.#lostUntil,
      closed: 'end',
      live: new Set(),
      lastArrival: now,
      endedAt: 0,
      reused: false,
    };
    this.#open.set(trace.id, trace);
    return trace;
  }

  #follow(trace: Working, raw: RawEvent, now: number): void {
    if (!trace.skbs.includes(raw.skb)) {
      trace.skbs.push(raw.skb);
      // the address was in another trace, whose end nothing reported
      const former = this.#bySkb.get(raw.skb);
      if (former && former !== trace) {
        former.reused = true;
        this.#endSkb(former, raw.skb, now);
      }
    }
    if (raw.kind === EventKind.free || raw.kind === EventKind.drop) {
      this.#endSkb(trace, raw.skb, now);
    } else if (!trace.live.has(raw.skb)) {
      trace.live.add(raw.skb);
      this.#bySkb.set(raw.skb, trace);
      trace.endedAt = 0;
    }
  }

  #endSkb(trace: Working, skb: bigint, now: number): void {
    trace.live.delete(skb);
    if (this.#bySkb.get(skb) === trace) this.#bySkb.delete(skb);
    if (trace.live.size === 0 && !trace.endedAt) {
      trace.endedAt = now;
      this.#ending.push(trace);
    }
  }

  #merge(trace: Working, raw: RawEvent): void {
    const time = Number(raw.related);
    for (let i = trace.events.length - 1; i >= 0; i--) {
      const event = trace.events[i];
      if (event && event.raw.probe === raw.probe && event.raw.time === time) {
        event.returned = raw;
        return;
      }
    }
    this.orphans++;
  }

  #close(trace: Working, why: OpenTrace['closed']): void {
    if (this.#open.get(trace.id) !== trace) return; // closed before its time in `ending` came
    this.#open.delete(trace.id);
    for (const skb of trace.live) if (this.#bySkb.get(skb) === trace) this.#bySkb.delete(skb);
    if (trace.live.size > 0 && why === 'age') this.#options.onForget([...trace.live], trace.id);
    trace.closed = why === 'freed' && trace.reused ? 'reused' : why;
    // CPUs reserve records in an order that need not be that of their clocks
    trace.events.sort((a, b) => a.raw.time - b.raw.time);
    this.#options.onTrace(trace);
  }
}
