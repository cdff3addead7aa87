import { describe, expect, it } from 'vitest';
import { wrapped } from '../../../src/sinks/wrapped.js';

describe('a long text', () => {
  it('goes on in the next lines, indented, with its words whole', () => {
    expect(wrapped('  one two three four', 12)).toBe('  one two\n    three\n    four\n');
  });

  it('stays as it is where it fits', () => {
    expect(wrapped('one two', 7)).toBe('one two\n');
    expect(wrapped('', 7)).toBe('\n');
  });

  it('holds words that are wider than a line', () => {
    expect(wrapped('a_very_long_word and', 8)).toBe('a_very_long_word\n    and\n');
  });

  it('loses no word, whatever the width', () => {
    const text = 'refused (3): fentry: not permitted; kprobe: no such file or directory';
    for (let width = 1; width < 80; width += 1)
      expect(wrapped(text, width).trim().split(/\s+/)).toEqual(text.split(' '));
  });
});
