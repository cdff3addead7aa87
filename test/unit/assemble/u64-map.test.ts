import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { U64Map } from '../../../src/assemble/u64-map.js';

interface Value {
  value: number;
}

describe('a map with keys of 64 bits', () => {
  const half = fc.constantFrom(0, 1, -1, 1023, 1024, 0x7fffffff, -0x80000000);

  it('holds what was put in and not taken out', () => {
    const step = fc.record({ high: half, low: fc.oneof(half, fc.integer({ min: -40, max: 40 })), isSet: fc.boolean() });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 300 }), (steps) => {
        const map = new U64Map<Value>();
        const model = new Map<string, Value>();
        for (const [value, { high, low, isSet }] of steps.entries()) {
          if (isSet) {
            map.set(high, low, { value });
            model.set(`${high} ${low}`, { value });
          } else {
            map.delete(high, low);
            model.delete(`${high} ${low}`);
          }
          expect(map.size).toBe(model.size);
        }
        for (const { high, low } of steps) expect(map.get(high, low)).toEqual(model.get(`${high} ${low}`));
      }),
    );
  });

  it('grows, and finds all', () => {
    const map = new U64Map<Value>();
    for (let i = 0; i < 10_000; i++) map.set(i % 7, i * 4096, { value: i });
    for (let i = 0; i < 10_000; i += 2) map.delete(i % 7, i * 4096);
    expect(map.size).toBe(5000);
    for (let i = 0; i < 10_000; i++) expect(map.get(i % 7, i * 4096)?.value).toBe(i % 2 ? i : undefined);
  });
});
