import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ClassicInstruction } from '#bpf-loader';
import { knownPacket, runClassic } from '../../../src/filter/classic-interpreter.js';
import { packetProgram } from '../../../src/filter/compile-filters.js';
import { generateFunction } from '../../../src/filter/generated-function.js';
import { WINDOW_BYTES, windowOf } from '../../../src/filter/translate-classic.js';
import { FilterScratch } from '../../../src/generated/layout.js';
import { runGenerated } from '../../support/bpf-interpreter.js';

const NUMBER = 3;

function translated(program: readonly ClassicInstruction[]): (bytes: Uint8Array, length: number) => boolean {
  const body = generateFunction(new Map([[NUMBER, packetProgram(program)]]));
  return (bytes, length) => {
    // what a former packet left there must not matter
    const scratch = new Uint8Array(FilterScratch.size).fill(0xa5);
    const view = new DataView(scratch.buffer);
    scratch.set(bytes, FilterScratch.packet);
    view.setUint32(FilterScratch.captured, bytes.length, true);
    view.setUint32(FilterScratch.length, length, true);
    return runGenerated(body, scratch, NUMBER) !== 0n;
  };
}

const code = (...codes: number[]) => fc.constantFrom(...codes);
const anyK = fc.oneof(
  fc.nat(40),
  fc.nat(0xffff_ffff),
  fc.constantFrom(0, 31, 32, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff),
);
const place = fc.oneof({ weight: 8, arbitrary: fc.nat(40) }, { weight: 1, arbitrary: fc.nat(3000) });
const slot = fc.nat(15);
const of = (codes: fc.Arbitrary<number>, k: fc.Arbitrary<number>, jump: fc.Arbitrary<number> = fc.constant(0)) =>
  fc.record({ code: codes, jt: jump, jf: jump, k });

/** Instructions of all kinds; where jumps lead is settled when the length is known. */
const instruction = fc.oneof(
  of(code(0x20, 0x28, 0x30, 0x40, 0x48, 0x50, 0xb1), place),
  of(code(0x00, 0x01), anyK),
  of(code(0x60, 0x61, 0x02, 0x03), slot),
  of(code(0x80, 0x81, 0x07, 0x87), fc.constant(0)),
  of(code(0x04, 0x14, 0x24, 0x44, 0x54, 0x64, 0x74, 0xa4), anyK),
  of(code(0x34, 0x94), fc.integer({ min: 1, max: 0xffff_ffff })),
  of(code(0x0c, 0x1c, 0x2c, 0x3c, 0x4c, 0x5c, 0x6c, 0x7c, 0x84, 0x9c, 0xac), fc.constant(0)),
  of(code(0x15, 0x25, 0x35, 0x45, 0x1d, 0x2d, 0x3d, 0x4d), anyK, fc.nat(20)),
  of(code(0x05), fc.nat(20)),
  of(code(0x06, 0x16), fc.constantFrom(0, 1, 262_144)),
);

const anyProgram = fc.array(instruction, { minLength: 1, maxLength: 30 }).map((body): ClassicInstruction[] => {
  const last = body.length;
  const within = (distance: number, at: number) => Math.min(distance, last - at - 1);
  return [
    ...body.map((i, at) => ({
      ...i,
      jt: within(i.jt, at),
      jf: within(i.jf, at),
      k: i.code === 0x05 ? within(i.k, at) : i.k,
    })),
    { code: 0x16, jt: 0, jf: 0, k: 0 },
  ];
});

describe('a translated program', () => {
  it('accepts what an interpreter of classic BPF accepts', () => {
    fc.assert(
      fc.property(anyProgram, fc.uint8Array({ maxLength: 60 }), fc.nat(70_000), (program, bytes, length) => {
        // far loads are beyond the window, and so refused before they are translated
        fc.pre(program.every((i) => (i.code & 0xe7) !== 0x20 || i.k < WINDOW_BYTES));
        expect(translated(program)(bytes, length)).toBe(runClassic(program, knownPacket(bytes, length)) !== 0);
      }),
      { numRuns: 4000 },
    );
  });

  it('has 32 bits, and loads in network order', () => {
    // (0x01020304 + 0xffffffff) & 0xffffffff == 0x01020303
    const program = [
      { code: 0x20, jt: 0, jf: 0, k: 0 },
      { code: 0x04, jt: 0, jf: 0, k: 0xffff_ffff },
      { code: 0x15, jt: 0, jf: 1, k: 0x0102_0303 },
      { code: 0x06, jt: 0, jf: 0, k: 1 },
      { code: 0x06, jt: 0, jf: 0, k: 0 },
    ];
    expect(translated(program)(Buffer.from([1, 2, 3, 4]), 4)).toBe(true);
    expect(translated(program)(Buffer.from([4, 3, 2, 1]), 4)).toBe(false);
    expect(translated(program)(Buffer.from([1, 2, 3]), 4), 'a byte is missing').toBe(false);
  });

  it('does not wrap around where X leads behind the end', () => {
    const program = [
      { code: 0x01, jt: 0, jf: 0, k: 0xffff_ffff },
      { code: 0x50, jt: 0, jf: 0, k: 1 },
      { code: 0x06, jt: 0, jf: 0, k: 1 },
    ];
    expect(translated(program)(Buffer.alloc(60), 60)).toBe(false);
  });
});

describe('the window', () => {
  const load = (k: number, more: Partial<ClassicInstruction> = {}) => ({ code: 0x28, jt: 0, jf: 0, k, ...more });
  it('ends with the last byte that is loaded', () => {
    expect(windowOf([load(12), load(36)])).toBe(38);
    expect(windowOf([{ code: 0x06, jt: 0, jf: 0, k: 1 }])).toBe(0);
  });
  it('allows for the longest IPv4 header', () => {
    expect(windowOf([load(14, { code: 0xb1 }), load(16, { code: 0x48 })])).toBe(16 + 60 + 2);
  });
  it('is all that there is where X may be anything', () => {
    expect(windowOf([load(0, { code: 0x07 }), load(16, { code: 0x48 })])).toBe(WINDOW_BYTES);
  });
  it('refuses a place behind it, and what is no place', () => {
    expect(() => windowOf([load(2047)])).toThrow('the filter looks at byte 2048 of a packet');
    expect(() => windowOf([load(0xffff_f004)])).toThrow("'inbound', 'outbound' and 'ifindex'");
  });
});
