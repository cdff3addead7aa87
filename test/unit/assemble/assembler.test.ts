import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Assembler, type AssemblerOptions, type OpenTrace } from '../../../src/assemble/assembler.js';
import { EventFlag, EventKind } from '../../../src/generated/layout.js';
import { keptTrace, type RecordInput, recordOf } from '../../support/records.js';

const GRACE = 30;
const AGE = 5000;
const NS_PER_MS = 1_000_000;
/** A probe where packets are followed, and none is seen first. */
const FOLLOWING = 7;

/** An assembler, what it handed on, and a clock that the test sets. */
class Bench {
  readonly traces: OpenTrace[] = [];
  readonly forgotten: { skbs: bigint[]; id: bigint }[] = [];
  readonly assembler: Assembler;
  now = 1000;

  constructor(options: Partial<AssemblerOptions> = {}) {
    this.assembler = new Assembler({
      graceMs: GRACE,
      ageMs: AGE,
      maxOpen: 100,
      maxEvents: 100,
      maxBytes: 2 ** 20,
      isEntry: (probe) => probe !== FOLLOWING,
      onTrace: (trace) => this.traces.push(keptTrace(trace)),
      onForget: (skbs, id) => this.forgotten.push({ skbs, id }),
      ...options,
    });
  }

  add(input: RecordInput): this {
    this.assembler.add(recordOf({ time: this.now * NS_PER_MS, ...input }), this.now);
    return this;
  }

  /** The first sight of an skb. */
  begin(traceId: number, skb: number, more: RecordInput = {}): this {
    return this.add({ traceId, skb, flags: EventFlag.firstSight, ...more });
  }

  visit(traceId: number, skb: number, more: RecordInput = {}): this {
    return this.add({ traceId, skb, ...more });
  }

  clone(traceId: number, skb: number, parent: number, more: RecordInput = {}): this {
    return this.add({ traceId, skb, related: parent, kind: EventKind.derived, ...more });
  }

  free(traceId: number, skb: number, more: RecordInput = {}): this {
    return this.add({ traceId, skb, kind: EventKind.free, ...more });
  }

  returned(traceId: number, skb: number, visitTime: number, more: RecordInput = {}): this {
    return this.add({ traceId, skb, related: visitTime, kind: EventKind.return, ret: 0, ...more });
  }

  after(ms: number): this {
    this.now += ms;
    this.assembler.flush(this.now);
    return this;
  }

  get shapes(): unknown[] {
    return this.traces.map(({ id, skbs, closed, complete, events }) => ({
      id: Number(id),
      skbs: skbs.map(Number),
      closed,
      complete,
      events: events.length,
    }));
  }
}

describe('a trace', () => {
  it('begins with the first sight and ends with the free, after the time of grace', () => {
    const bench = new Bench()
      .begin(1, 10)
      .visit(1, 10)
      .free(1, 10)
      .after(GRACE - 1);
    expect(bench.traces).toEqual([]);
    bench.after(1);
    expect(bench.shapes).toEqual([{ id: 1, skbs: [10], closed: 'freed', complete: true, events: 3 }]);
    expect(bench.assembler.openTraces).toBe(0);
  });

  it('ends with a drop as with a free', () => {
    const bench = new Bench().begin(1, 10).add({ traceId: 1, skb: 10, kind: EventKind.drop, drop: { location: 1n } });
    bench.after(GRACE);
    expect(bench.shapes).toEqual([{ id: 1, skbs: [10], closed: 'freed', complete: true, events: 2 }]);
  });

  it('may be a drop alone, where the packet is first seen', () => {
    const bench = new Bench().begin(1, 10, { kind: EventKind.drop, drop: { location: 1n } }).after(GRACE);
    expect(bench.shapes).toEqual([{ id: 1, skbs: [10], closed: 'freed', complete: true, events: 1 }]);
  });

  it('whose beginning was lost is not complete', () => {
    const bench = new Bench().visit(1, 10).free(1, 10).after(GRACE);
    expect(bench.shapes).toMatchObject([{ id: 1, complete: false, events: 2 }]);
  });

  it('is told by its id: packets at the same time stay apart', () => {
    const bench = new Bench().begin(1, 10).begin(2, 20).visit(1, 10).visit(2, 20).visit(2, 20);
    bench.free(2, 20).free(1, 10).after(GRACE);
    expect(bench.shapes).toMatchObject([
      { id: 2, skbs: [20], events: 4 },
      { id: 1, skbs: [10], events: 3 },
    ]);
  });

  it('has its events in the order of their times, however they arrived', () => {
    const times = fc.array(fc.integer({ min: 1, max: 1000 }), { minLength: 1, maxLength: 50 });
    fc.assert(
      fc.property(times, (list) => {
        const bench = new Bench();
        for (const time of list) bench.begin(1, 10, { time });
        bench.assembler.end();
        expect(bench.traces[0]?.events.map((e) => e.raw.time)).toEqual([...list].sort((a, b) => a - b));
      }),
    );
  });

  it('keeps the order of arrival among events of the same time', () => {
    const bench = new Bench();
    for (const cpu of [3, 1, 2]) bench.begin(1, 10, { time: 5, cpu });
    bench.assembler.end();
    expect(bench.traces[0]?.events.map((e) => e.raw.cpu)).toEqual([3, 1, 2]);
  });
});

describe('a copy that a packet socket reads', () => {
  it('is no packet of its own where its address was that of another one, whose end was not seen', () => {
    const bench = new Bench().begin(1, 10);
    bench
      .begin(2, 10, { flags: EventFlag.firstSight | EventFlag.reused, probe: FOLLOWING })
      .free(2, 10)
      .after(GRACE);
    expect(bench.shapes).toEqual([{ id: 1, skbs: [10], closed: 'reused', complete: true, events: 1 }]);
  });

  it('is none either when it is followed to the end of the run, and its address is then free', () => {
    const bench = new Bench().begin(2, 10, { probe: FOLLOWING });
    bench.assembler.end();
    expect(bench.shapes).toEqual([]);
    bench.begin(3, 10).free(3, 10).after(GRACE);
    expect(bench.shapes).toMatchObject([{ id: 3, complete: true, events: 2 }]);
  });
});

describe('a clone', () => {
  it('joins the trace of its parent', () => {
    const bench = new Bench().begin(1, 10).clone(1, 11, 10).visit(1, 11).free(1, 11).free(1, 10).after(GRACE);
    expect(bench.shapes).toEqual([{ id: 1, skbs: [10, 11], closed: 'freed', complete: true, events: 5 }]);
  });

  it('keeps the trace open when its parent is freed', () => {
    const bench = new Bench()
      .begin(1, 10)
      .clone(1, 11, 10)
      .free(1, 10)
      .after(GRACE * 3);
    expect(bench.traces).toEqual([]);
    bench.free(1, 11).after(GRACE);
    expect(bench.shapes).toMatchObject([{ closed: 'freed', skbs: [10, 11] }]);
  });

  it('whose record comes after the free of its parent opens the trace again, and it is handed on once', () => {
    const bench = new Bench()
      .begin(1, 10)
      .free(1, 10)
      .clone(1, 11, 10)
      .after(GRACE * 3);
    expect(bench.traces).toEqual([]);
    bench.free(1, 11).after(GRACE).after(GRACE).after(AGE);
    expect(bench.shapes).toMatchObject([{ id: 1, skbs: [10, 11], closed: 'freed' }]);
  });

  it('that comes and goes within the time of grace does not make the trace be handed on twice', () => {
    const bench = new Bench().begin(1, 10).free(1, 10).clone(1, 11, 10).free(1, 11).after(GRACE).after(GRACE);
    expect(bench.shapes).toMatchObject([{ id: 1, skbs: [10, 11], closed: 'freed', events: 4 }]);
  });
});

describe('an address that is used again', () => {
  it('after its free is in a new trace alone', () => {
    const bench = new Bench().begin(1, 10).free(1, 10).begin(2, 10).visit(2, 10).free(2, 10).after(GRACE);
    expect(bench.shapes).toEqual([
      { id: 1, skbs: [10], closed: 'freed', complete: true, events: 2 },
      { id: 2, skbs: [10], closed: 'freed', complete: true, events: 3 },
    ]);
  });

  it('without a free ends the old trace, and that says so', () => {
    const bench = new Bench().begin(1, 10).begin(2, 10).after(GRACE);
    expect(bench.shapes).toEqual([{ id: 1, skbs: [10], closed: 'reused', complete: true, events: 1 }]);
    bench.free(2, 10).after(GRACE);
    expect(bench.shapes[1]).toMatchObject({ id: 2, closed: 'freed' });
  });

  it('ends only the part of that skb: a clone keeps the old trace open', () => {
    const bench = new Bench()
      .begin(1, 10)
      .clone(1, 11, 10)
      .begin(2, 10)
      .after(GRACE * 3);
    expect(bench.traces).toEqual([]);
    bench.free(1, 11).after(GRACE);
    expect(bench.shapes).toMatchObject([{ id: 1, skbs: [10, 11], closed: 'reused' }]);
  });
});

describe('a return', () => {
  it('is merged into its visit, and is no event of its own', () => {
    const bench = new Bench()
      .begin(1, 10, { time: 100, probe: 3 })
      .visit(1, 10, { time: 110, probe: 4 })
      .returned(1, 10, 110, { probe: 4, ret: -13 })
      .returned(1, 10, 100, { probe: 3, ret: 7 });
    bench.assembler.end();
    const [trace] = bench.traces;
    expect(trace?.events.map((e) => [e.raw.probe, e.returned?.ret])).toEqual([
      [3, 7n],
      [4, -13n],
    ]);
    expect(bench.assembler.orphans).toBe(0);
  });

  it('finds its visit by probe and time: the same function may be in the trace many times', () => {
    const bench = new Bench();
    for (const time of [100, 200, 300]) bench.begin(1, 10, { time, probe: 3 });
    bench.returned(1, 10, 200, { probe: 3, ret: 2 });
    bench.assembler.end();
    expect(bench.traces[0]?.events.map((e) => e.returned?.ret)).toEqual([undefined, 2n, undefined]);
  });

  it('after the free, within the time of grace, still arrives', () => {
    const bench = new Bench()
      .begin(1, 10, { time: 100 })
      .free(1, 10, { time: 110 })
      .after(GRACE - 1);
    bench.returned(1, 10, 100, { ret: 5 }).after(1);
    expect(bench.traces[0]?.events[0]?.returned?.ret).toBe(5n);
  });

  it('does not keep a trace open whose skbs are freed', () => {
    const bench = new Bench()
      .begin(1, 10, { time: 100 })
      .free(1, 10)
      .after(GRACE - 1)
      .returned(1, 10, 100)
      .after(1);
    expect(bench.traces).toHaveLength(1);
  });

  it('that comes after its trace was closed is an orphan, and begins nothing', () => {
    const bench = new Bench().begin(1, 10, { time: 100 }).free(1, 10).after(GRACE).returned(1, 10, 100);
    expect(bench.assembler.orphans).toBe(1);
    expect(bench.assembler.openTraces).toBe(0);
  });

  it('without its visit is an orphan', () => {
    const bench = new Bench()
      .begin(1, 10, { time: 100, probe: 3 })
      .returned(1, 10, 101, { probe: 3 })
      .returned(1, 10, 100, { probe: 4 });
    expect(bench.assembler.orphans).toBe(2);
  });

  it('finds its visit also where the time is larger than a double holds exactly', () => {
    const time = 2n ** 60n + 1n;
    const bench = new Bench()
      .begin(1, 10, { time })
      .add({ traceId: 1, skb: 10, kind: EventKind.return, related: time, ret: 1 });
    expect(bench.assembler.orphans).toBe(0);
  });
});

describe('a trace without an end', () => {
  it('is closed by age once it was silent for so long, and its skbs are forgotten', () => {
    const bench = new Bench()
      .begin(1, 10)
      .clone(1, 11, 10)
      .free(1, 10)
      .after(AGE - 1);
    expect(bench.traces).toEqual([]);
    bench.after(101);
    expect(bench.shapes).toMatchObject([{ id: 1, closed: 'age' }]);
    expect(bench.forgotten).toEqual([{ skbs: [11n], id: 1n }]);
  });

  it('stays open as long as something happens', () => {
    const bench = new Bench().begin(1, 10);
    for (let i = 0; i < 20; i++) bench.after(AGE / 2).visit(1, 10);
    expect(bench.traces).toEqual([]);
    expect(bench.assembler.openTraces).toBe(1);
  });

  it('is closed at the end of the run, and says that it was not freed', () => {
    const bench = new Bench().begin(1, 10).begin(2, 20).free(2, 20);
    bench.assembler.end();
    expect(bench.shapes).toMatchObject([
      { id: 1, closed: 'end' },
      { id: 2, closed: 'freed' },
    ]);
    bench.after(AGE);
    bench.assembler.end();
    expect(bench.traces).toHaveLength(2);
  });
});

describe('a loss', () => {
  it('marks what is open, not what comes later or was closed before', () => {
    const bench = new Bench().begin(1, 10).free(1, 10).after(GRACE).begin(2, 20).begin(3, 30).free(3, 30);
    bench.assembler.markIncomplete(bench.now * NS_PER_MS);
    bench.after(1).begin(4, 40).free(2, 20).free(4, 40).after(GRACE);
    const complete = Object.fromEntries(bench.traces.map((t) => [Number(t.id), t.complete]));
    expect(complete).toEqual({ 1: true, 2: false, 3: false, 4: true });
  });

  it('marks traces too that began before it and whose records are read after it', () => {
    const bench = new Bench();
    bench.assembler.markIncomplete(bench.now * NS_PER_MS);
    bench.begin(1, 10, { time: bench.now * NS_PER_MS }).begin(2, 20, { time: bench.now * NS_PER_MS + 1 });
    bench.assembler.end();
    expect(bench.shapes).toMatchObject([
      { id: 1, complete: false },
      { id: 2, complete: true },
    ]);
  });
});

describe('the limit of open traces', () => {
  it('closes the oldest, handed on once and not as complete', () => {
    const bench = new Bench({ maxOpen: 2 }).begin(1, 10).begin(2, 20).begin(3, 30);
    expect(bench.assembler.openTraces).toBe(2);
    expect(bench.shapes).toMatchObject([{ id: 1, complete: false }]);
    expect(bench.forgotten).toEqual([{ skbs: [10n], id: 1n }]);
  });

  it('closes an oldest that is freed already as freed, handed on once', () => {
    const bench = new Bench({ maxOpen: 1 }).begin(1, 10).free(1, 10).begin(2, 20);
    expect(bench.shapes).toEqual([{ id: 1, skbs: [10], closed: 'freed', complete: true, events: 2 }]);
    expect(bench.forgotten).toEqual([]);
    bench.free(2, 20).after(GRACE).after(AGE);
    expect(bench.traces.map((t) => t.id)).toEqual([1n, 2n]);
  });
});

describe('the limit of memory', () => {
  it('closes the oldest, which is not complete', () => {
    const bench = new Bench({ maxOpen: 10_000, maxBytes: 2 ** 18 });
    for (let i = 1; i <= 257; i++) bench.begin(i, i * 10);
    expect(bench.shapes).toMatchObject([{ id: 1, complete: false, closed: 'age' }]);
    expect(bench.forgotten).toEqual([{ skbs: [10n], id: 1n }]);
  });
});

describe('the limit of events', () => {
  it('cuts the trace, says so and counts what was left out, but still sees its end', () => {
    const bench = new Bench({ maxEvents: 3 }).begin(1, 10);
    for (let i = 0; i < 5; i++) bench.visit(1, 10);
    bench.free(1, 10).after(GRACE);
    expect(bench.shapes).toEqual([{ id: 1, skbs: [10], closed: 'freed', complete: false, events: 3 }]);
    expect(bench.assembler.orphans).toBe(4);
  });
});

describe('any sequence of events', () => {
  it('is handed on completely: each event in one trace, or counted', () => {
    const step = fc.record({
      traceId: fc.integer({ min: 1, max: 4 }),
      skb: fc.integer({ min: 1, max: 4 }),
      kind: fc.constantFrom(...Object.values(EventKind)),
      flags: fc.constantFrom(0, EventFlag.firstSight),
      related: fc.integer({ min: 0, max: 5 }),
      time: fc.integer({ min: 0, max: 5 }),
      wait: fc.constantFrom(0, 0, 10, GRACE, AGE),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const bench = new Bench({ maxOpen: 3, maxEvents: 8 });
        for (const { wait, ...input } of steps) bench.add(input).after(wait);
        bench.assembler.end();
        const kept = bench.traces.flatMap((t) => t.events);
        const visits = steps.filter((s) => s.kind !== EventKind.return).length;
        // orphans count returns too, so they are at least what the traces lack
        expect(kept.length).toBeLessThanOrEqual(visits);
        expect(kept.length + bench.assembler.orphans).toBeGreaterThanOrEqual(visits);
        expect(new Set(kept.map((e) => e.raw)).size).toBe(kept.length);
        expect(bench.assembler.openTraces).toBe(0);
        for (const trace of bench.traces) {
          expect(trace.skbs.length).toBeGreaterThan(0);
          expect(trace.events.every((e) => e.raw.traceId === trace.id)).toBe(true);
        }
      }),
      { numRuns: 500 },
    );
  });
});
