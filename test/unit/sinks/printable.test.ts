import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { printable } from '../../../src/sinks/printable.js';

describe('printable', () => {
  it.each([
    ['\x1b[31mred', '\\x1b[31mred'],
    ['a\tb\r\n', 'a\\x09b\\x0d\\x0a'],
    ['\x00\x7f', '\\x00\\x7f'],
    ['\x9b31m', '\\x9b31m'],
    ['\u061c\u2028\u202e\u2066', '\\u061c\\u2028\\u202e\\u2066'],
    ['eth0', 'eth0'],
    ['café 日本 🐙', 'café 日本 🐙'],
  ])('makes %j %s', (text, expected) => {
    expect(printable(text)).toBe(expected);
  });

  it('leaves nothing that a terminal obeys, and all the rest as it is', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const shown = printable(text);
        expect(shown).not.toMatch(/[\p{Cc}\p{Bidi_Control}\u2028\u2029]/u);
        const kept = [...text].filter((c) => !/[\p{Cc}\p{Bidi_Control}\u2028\u2029]/u.test(c)).join('');
        expect(shown.replace(/\\x[0-9a-f]{2}|\\u20[0-9a-f]{2}|\\u061c/g, '')).toBe(kept);
      }),
      { numRuns: 300 },
    );
  });
});
