import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeTcpOptions } from '../../../src/decode/tcp-options.js';

const u32Bytes = (value: number) => [value >>> 24, (value >>> 16) & 0xff, (value >>> 8) & 0xff, value & 0xff];
const decode = (...bytes: number[]) => decodeTcpOptions(Uint8Array.from(bytes));

describe('TCP options', () => {
  it('of a Linux SYN are all told', () => {
    const bytes = [2, 4, 0x05, 0xb4, 4, 2, 8, 10, ...u32Bytes(1732514186), ...u32Bytes(0), 1, 3, 3, 7];
    expect(decode(...bytes)).toEqual({ mss: 1460, sackPermitted: true, tsval: 1732514186, tsecr: 0, windowScale: 7 });
  });

  it('with SACK blocks give left and right edges in their order', () => {
    const bytes = [1, 1, 5, 18, ...u32Bytes(1), ...u32Bytes(2), ...u32Bytes(0xfffffff0), ...u32Bytes(0x10)];
    expect(decode(...bytes)).toEqual({
      sack: [
        { left: 1, right: 2 },
        { left: 0xfffffff0, right: 0x10 },
      ],
    });
  });

  it('that are not known are named by their kind', () => {
    expect(decode(34, 4, 0xab, 0xcd, 254, 2)).toEqual({ other: [34, 254] });
  });

  it('end at the end-of-options byte: what follows is padding', () => {
    expect(decode(3, 3, 2, 0, 2, 4, 5, 180)).toEqual({ windowScale: 2 });
  });

  it('of none or of NOPs alone say nothing', () => {
    expect(decode()).toEqual({});
    expect(decode(1, 1, 1, 1)).toEqual({});
  });

  it.each([
    ['a kind without a length', [3]],
    ['a length of 0', [34, 0, 1, 1]],
    ['a length of 1', [34, 1, 1, 1]],
    ['a length beyond the end', [8, 10, 0, 0, 0, 1]],
    ['an MSS of the wrong length', [2, 3, 5]],
    ['a window scale of the wrong length', [3, 4, 1, 1]],
    ['a SACK-permitted with data', [4, 3, 1]],
    ['a SACK without a block', [5, 2]],
    ['a SACK with half a block', [5, 6, 0, 0, 0, 1]],
    ['timestamps of the wrong length', [8, 6, 0, 0, 0, 1]],
  ])('that hold %s are malformed', (_what, bytes) => {
    expect(decode(...bytes)).toEqual({ malformed: true });
  });

  it('keep what came before the malformed part', () => {
    expect(decode(2, 4, 5, 180, 8, 10, 0, 0)).toEqual({ mss: 1460, malformed: true });
  });

  it('are decoded from the middle of a buffer without reading around it', () => {
    const buffer = Uint8Array.of(9, 9, 2, 4, 5, 180, 8, 10);
    expect(decodeTcpOptions(buffer.subarray(2, 6))).toEqual({ mss: 1460 });
  });

  it('of any bytes never make it throw, and give numbers of their ranges', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        const { mss, windowScale, sack, tsval, tsecr, other } = decodeTcpOptions(bytes);
        for (const number of [tsval, tsecr, ...(sack ?? []).flatMap((b) => [b.left, b.right])]) {
          if (number !== undefined) expect(number >= 0 && number <= 0xffffffff && Number.isInteger(number)).toBe(true);
        }
        expect(mss ?? 0).toBeLessThanOrEqual(0xffff);
        expect(windowScale ?? 0).toBeLessThanOrEqual(0xff);
        for (const kind of other ?? []) expect([0, 1, 2, 3, 4, 5, 8]).not.toContain(kind);
      }),
      { numRuns: 2000 },
    );
  });

  it('written in any order come back, with any NOPs between', () => {
    const u32 = fc.integer({ min: 0, max: 0xffffffff });
    const wanted = fc.record(
      {
        mss: fc.integer({ min: 0, max: 0xffff }),
        windowScale: fc.integer({ min: 0, max: 14 }),
        sackPermitted: fc.constant(true),
        timestamps: fc.tuple(u32, u32),
      },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(
        wanted,
        fc.nat({ max: 3 }),
        fc.boolean(),
        ({ mss, windowScale, sackPermitted, timestamps }, nops, turned) => {
          const parts: number[][] = [];
          if (mss !== undefined) parts.push([2, 4, mss >> 8, mss & 0xff]);
          if (windowScale !== undefined) parts.push([3, 3, windowScale]);
          if (sackPermitted) parts.push([4, 2]);
          if (timestamps) parts.push([8, 10, ...timestamps.flatMap(u32Bytes)]);
          if (turned) parts.reverse();
          const padding = new Array<number>(nops).fill(1);
          expect(decode(...parts.flatMap((part) => [...padding, ...part]))).toEqual({
            ...(mss === undefined ? {} : { mss }),
            ...(windowScale === undefined ? {} : { windowScale }),
            ...(sackPermitted ? { sackPermitted } : {}),
            ...(timestamps ? { tsval: timestamps[0], tsecr: timestamps[1] } : {}),
          });
        },
      ),
    );
  });
});
