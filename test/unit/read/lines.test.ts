import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Line, LineSplitter } from '../../../src/read/lines.js';

/** All lines of a text that comes in pieces. */
function split(pieces: readonly Uint8Array[], limit?: number): Line[] {
  const lines = new LineSplitter(limit);
  const list = pieces.flatMap((piece) => [...lines.push(piece)]);
  const last = lines.end();
  return last ? [...list, last] : list;
}

/** Cuts bytes at the given places. */
function cut(bytes: Uint8Array, places: readonly number[]): Uint8Array[] {
  const at = [0, ...places.map((place) => place % (bytes.length + 1)), bytes.length].sort((a, b) => a - b);
  return at.slice(1).map((end, i) => bytes.subarray(at[i], end));
}

describe('lines', () => {
  it('are the same however the bytes come', () => {
    const text = fc.string({ unit: fc.constantFrom('a', 'ä', '\n', '😀') });
    fc.assert(
      fc.property(text, fc.array(fc.nat()), (all, places) => {
        const expected = all.split('\n');
        const [last] = expected.slice(-1);
        if (last === '') expected.pop();
        expect(split(cut(Buffer.from(all), places)).map((line) => line.text)).toEqual(expected);
      }),
    );
  });

  it('are numbered, and have their length in bytes', () => {
    expect(split([Buffer.from('a\n\nä')])).toEqual([
      { number: 1, bytes: 1, text: 'a' },
      { number: 2, bytes: 0, text: '' },
      { number: 3, bytes: 2, text: 'ä' },
    ]);
  });

  it('that are too long are left out, with their length, and what follows is read', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(), { maxLength: 9 }), (places) => {
        expect(split(cut(Buffer.from('1234\n12345\nx\n123456'), places), 4)).toEqual([
          { number: 1, bytes: 4, text: '1234' },
          { number: 2, bytes: 5 },
          { number: 3, bytes: 1, text: 'x' },
          { number: 4, bytes: 6 },
        ]);
      }),
    );
  });
});
