import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SpecEntry, SpecTable } from '../../../src/generated/layout.js';
import { specTable } from '../../../src/load/attach-plan.js';

const KERNEL_TEXT = 0xffff_ffff_8100_0000n;
const BITS = Math.log2((SpecTable.size - SpecTable.entry) / SpecEntry.size);

/** As multi_spec() in bpf/nettrace.bpf.c finds it. */
function find(table: Buffer, address: bigint): bigint {
  const factor = BigInt(table.readUInt32LE(SpecTable.factor));
  const place = (((address & 0xffff_ffffn) * factor) & 0xffff_ffffn) >> BigInt(32 - BITS);
  const entry = SpecTable.entry + SpecEntry.size * Number(place);
  expect(table.readBigUInt64LE(entry + SpecEntry.address)).toBe(address);
  return table.readBigUInt64LE(entry + SpecEntry.spec);
}

const addresses = (count: number) =>
  fc.uniqueArray(
    fc.integer({ min: 0, max: 0x100_0000 }).map((n) => KERNEL_TEXT + 16n * BigInt(n)),
    { minLength: 1, maxLength: count },
  );

describe('the table of specs', () => {
  it('has each under the address of its function', () => {
    fc.assert(
      fc.property(addresses(300), (list) => {
        const specs = new Map(list.map((address, i) => [address, 1n + (BigInt(i) << 32n)]));
        const table = specTable(specs);
        if (!table) expect.fail('there is no table');
        for (const [address, spec] of specs) expect(find(table, address)).toBe(spec);
      }),
    );
  });

  it('is not there for addresses that are hidden, nor for more functions than fit', () => {
    expect(specTable(new Map([[0n, 1n]]))).toBeUndefined();
    const many = Array.from({ length: 20_000 }, (_, i) => [KERNEL_TEXT + 16n * BigInt(i), 1n] as const);
    expect(specTable(new Map(many))).toBeUndefined();
  });

  it('has a factor, which tells the kernel side that it is there', () => {
    expect(specTable(new Map([[KERNEL_TEXT, 7n]]))?.readUInt32LE(SpecTable.factor)).toBeGreaterThan(0);
  });
});
