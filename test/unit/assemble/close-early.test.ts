import { describe, expect, it } from 'vitest';
import { Assembler, type OpenTrace } from '../../../src/assemble/assembler.js';
import { EventFlag, EventKind } from '../../../src/generated/layout.js';
import { keptTrace, type RecordInput, recordOf } from '../../support/records.js';

const NETNS = 4026531900;
const GRACE = 30;

function bench() {
  const traces: OpenTrace[] = [];
  const forgotten: bigint[] = [];
  const assembler = new Assembler({
    graceMs: GRACE,
    ageMs: 5000,
    maxOpen: 100,
    maxEvents: 100,
    maxBytes: 2 ** 20,
    isEntry: () => true,
    onTrace: (trace) => traces.push(keptTrace(trace)),
    onForget: (skbs) => forgotten.push(...skbs),
  });
  const add = (input: RecordInput, now: number) =>
    assembler.add(recordOf({ traceId: 1, skb: 10, time: now * 1e6, meta: { netns: NETNS }, ...input }), now);
  return { assembler, traces, forgotten, add };
}

describe('traces of namespaces that are closed early', () => {
  it('are handed on as they are, and their skbs are forgotten', () => {
    const { assembler, traces, forgotten, add } = bench();
    add({ flags: EventFlag.firstSight }, 1000);
    assembler.closeIn(new Set([NETNS + 1]));
    expect(traces).toEqual([]);
    assembler.closeIn(new Set([NETNS]));
    expect(traces).toMatchObject([{ id: 1n, closed: 'end', complete: true }]);
    expect(forgotten).toEqual([10n]);
    expect(assembler.openTraces).toBe(0);
  });

  it('go on with a record that was still on its way, and are handed on again, whole and complete', () => {
    const { assembler, traces, add } = bench();
    add({ flags: EventFlag.firstSight }, 1000);
    assembler.closeIn(new Set([NETNS]));
    add({ kind: EventKind.drop }, 1001);
    assembler.flush(1001 + GRACE);
    expect(traces.map(({ id, events, complete, closed }) => [id, events.length, complete, closed])).toEqual([
      [1n, 1, true, 'end'],
      [1n, 2, true, 'freed'],
    ]);
    expect(assembler.openTraces).toBe(0);
    expect(assembler.orphans).toBe(0);
  });

  it('take a return that comes after the end, and are closed again', () => {
    const { assembler, traces, add } = bench();
    add({ flags: EventFlag.firstSight, probe: 3 }, 1000);
    add({ kind: EventKind.free }, 1001);
    assembler.closeIn(new Set([NETNS]));
    add({ kind: EventKind.return, related: 1000 * 1e6, probe: 3, ret: 7 }, 1002);
    assembler.flush(1002 + GRACE);
    expect(traces).toHaveLength(2);
    expect(traces[1]?.events[0]?.returned?.ret).toBe(7n);
    expect(assembler.openTraces).toBe(0);
  });
});
