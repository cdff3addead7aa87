import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ClassicInstruction } from '#bpf-loader';
import { knownPacket, runClassic } from '../../../src/filter/classic-interpreter.js';
import { LOOP_ROUNDS, unrollLoops } from '../../../src/filter/unroll-loops.js';

const BACK = (distance: number): ClassicInstruction => ({ code: 0x05, jt: 0, jf: 0, k: -distance >>> 0 });
const i = (code: number, k: number, jt = 0, jf = 0): ClassicInstruction => ({ code, jt, jf, k });

/** Follows a list, each byte the place of the next, up to a zero: then a match if the byte before was 7. */
const FOLLOW = [
  i(0x01, 0), // ldx #0
  i(0x50, 0), // ldb [x]
  i(0x15, 0, 2), // jeq #0, out
  i(0x07, 0), // tax
  BACK(4),
  i(0x87, 0), // txa
  i(0x15, 7, 0, 1), // jeq #7
  i(0x06, 1),
  i(0x06, 0),
];

describe('loops', () => {
  it('are left alone where there are none', () => {
    const program = [i(0x20, 0), i(0x15, 1, 0, 1), i(0x06, 1), i(0x06, 0)];
    expect(unrollLoops(program)).toBe(program);
  });

  it('become forward jumps that decide alike', () => {
    const unrolled = unrollLoops(FOLLOW);
    for (const [at, { code, k, jt, jf }] of unrolled.entries()) {
      const jumps = code === 0x05 ? [k] : [jt, jf];
      for (const jump of jumps) expect(jump >= 0 && at + 1 + jump <= unrolled.length).toBe(true);
    }
    // always upwards, so that the original ends
    const list = fc.uniqueArray(fc.integer({ min: 1, max: 40 }), { maxLength: LOOP_ROUNDS - 1 });
    fc.assert(
      fc.property(list, (places) => {
        const bytes = new Uint8Array(41);
        let at = 0;
        for (const next of places.toSorted((a, b) => a - b)) {
          bytes[at] = next;
          at = next;
        }
        expect(runClassic(unrolled, knownPacket(bytes, 41))).toBe(at === 7 ? 1 : 0);
      }),
    );
  });

  it('match nothing behind the last round', () => {
    const bytes = Uint8Array.from([1, 2, 3, 4, 5, 6, 7, 0]);
    expect(runClassic(unrollLoops(FOLLOW), knownPacket(bytes, 8))).toBe(1);
    const endless = Uint8Array.from([1, 0, 7, 1]);
    endless[1] = 1;
    expect(runClassic(unrollLoops(FOLLOW), knownPacket(endless, 4))).toBe(0);
  });

  it('may come one after the other', () => {
    const twice = [...FOLLOW.slice(0, 5), ...FOLLOW];
    const bytes = Uint8Array.from([3, 0, 0, 7, 0, 0, 0, 0]);
    expect(runClassic(unrollLoops(twice), knownPacket(bytes, 8))).toBe(1);
  });
});
