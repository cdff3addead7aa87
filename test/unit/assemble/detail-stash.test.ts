import { describe, expect, it } from 'vitest';
import { DetailStash } from '../../../src/assemble/detail-stash.js';
import type { KernelRecord } from '../../../src/decode/records.js';
import { EventFlag, EventKind } from '../../../src/generated/layout.js';
import { type RecordInput, recordOf } from '../../support/records.js';

const detail = (more: RecordInput) => recordOf({ kind: EventKind.detail, time: 100, cpu: 2, ...more });
const event = (more: RecordInput = {}) => recordOf({ flags: EventFlag.hasDetail, time: 100, cpu: 2, ...more });

/** The event with its details; undefined for a detail, which waits. */
function join(stash: DetailStash, record: KernelRecord) {
  if (!stash.join(record)) return undefined;
  const { stack, hooks, bytes, kind } = record;
  return { stack, hooks, bytes: bytes?.bytes, kind };
}

describe('details', () => {
  it('are no events, and come with the event that they belong to', () => {
    const stash = new DetailStash();
    expect(join(stash, detail({ stack: [1n, 2n] }))).toBeUndefined();
    expect(join(stash, event())).toMatchObject({ kind: EventKind.visit, stack: [1n, 2n], hooks: undefined });
  });

  it('of all kinds come together, in any order', () => {
    const [stack, hooks] = [detail({ stack: [1n] }), detail({ hooks: [7n, 8n] })];
    const bytes = detail({ bytes: { bytes: Uint8Array.of(1, 2) } });
    for (const order of [
      [stack, hooks, bytes],
      [bytes, hooks, stack],
    ]) {
      const stash = new DetailStash();
      for (const one of order) join(stash, one!);
      expect(join(stash, event())).toMatchObject({
        stack: [1n],
        hooks: [7n, 8n],
        bytes: Buffer.of(1, 2),
      });
    }
  });

  it('of another CPU or another time belong to another event', () => {
    const stash = new DetailStash();
    join(stash, detail({ stack: [1n], cpu: 3 }));
    join(stash, detail({ stack: [2n], time: 101 }));
    expect(join(stash, event())?.stack).toBeUndefined();
    expect(join(stash, event({ cpu: 3 }))?.stack).toEqual([1n]);
    expect(join(stash, event({ time: 101 }))?.stack).toEqual([2n]);
  });

  it('are given once, and to no event that has none', () => {
    const stash = new DetailStash();
    join(stash, detail({ stack: [1n] }));
    expect(join(stash, event({ flags: 0 }))?.stack).toBeUndefined();
    expect(join(stash, event())?.stack).toEqual([1n]);
    expect(join(stash, event())?.stack).toBeUndefined();
  });

  it('whose event was lost are not kept for ever, and the next ones arrive', () => {
    const stash = new DetailStash();
    for (let time = 0; time < 1025; time++) join(stash, detail({ stack: [BigInt(time)], time }));
    expect(join(stash, event({ time: 0 }))?.stack).toBeUndefined();
    expect(join(stash, event({ time: 1024 }))?.stack).toEqual([1024n]);
  });
});
