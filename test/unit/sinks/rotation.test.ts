import { chownSync, existsSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { UsageError } from '../../../src/errors.js';
import { parseRotation, RotatingFile, rotatedName } from '../../../src/sinks/rotation.js';
import { useFolder } from '../../support/folder.js';

const at = useFolder();
const OTHER_USER = 65534;
const isRoot = process.geteuid?.() === 0;

function write(path: string, blocks: readonly string[], bytes: number, count = 9): void {
  const file = new RotatingFile(path, { bytes, count });
  for (const block of blocks) file.write(block);
  file.close();
}

describe('--rotate', () => {
  it.each([
    ['4096', 4096, 9],
    ['4K', 4096, 9],
    ['10m,3', 10 * 2 ** 20, 3],
    ['2G,999', 2 ** 31, 999],
  ])('%s is a size in bytes and a number of files', (text, bytes, count) => {
    expect(parseRotation(text)).toEqual({ bytes, count });
  });

  it.each(['', '1', '4095', 'K', '10T', '-1', '1.5M', '4K,', '99999999999999999999G'])("'%s' is refused", (text) => {
    expect(() => parseRotation(text)).toThrow(/at least 4K, not '/);
  });

  it.each(['4K,0', '4K,1000'])("'%s' keeps no number of files that makes sense", (text) => {
    expect(() => parseRotation(text)).toThrow(/keeps 1 to 999 files/);
  });
});

describe('the name of a full file', () => {
  it.each([
    ['t.ndjson', 't.ndjson.1'],
    ['t.ndjson.gz', 't.ndjson.1.gz'],
    ['/a.gz/t.zst', '/a.gz/t.1.zst'],
    ['.gz', '.1.gz'],
  ])('of %s is %s: the ending that tools know stays the ending', (path, expected) => {
    expect(rotatedName(path, 1)).toBe(expected);
  });
});

describe('a rotating file', () => {
  it('is renamed when it is full, the older ones with it, and the oldest goes', () => {
    write(at('t'), ['aaaa\n', 'bbbb\n', 'cccc\n', 'dddd\n', 'eeee\n'], 5, 2);
    expect(readdirSync(at()).sort()).toEqual(['t', 't.1', 't.2']);
    expect(['t', 't.1', 't.2'].map((name) => readFileSync(at(name), 'utf8'))).toEqual(['eeee\n', 'dddd\n', 'cccc\n']);
  });

  it('never splits a block, and is larger than its limit only for a single one', () => {
    const block = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 30 });
    let run = 0;
    fc.assert(
      fc.property(fc.array(block, { maxLength: 40 }), fc.integer({ min: 8, max: 100 }), (blocks, bytes) => {
        const path = at(`t${run++}`);
        write(path, blocks, bytes, 99);
        const names = Array.from({ length: 99 }, (_, i) => rotatedName(path, 99 - i)).filter((name) =>
          existsSync(name),
        );
        const files = [...names, path].map((name) => readFileSync(name, 'utf8'));
        expect(files.join('')).toBe(blocks.join(''));
        for (const text of files) {
          expect(Buffer.byteLength(text) <= bytes || blocks.includes(text)).toBe(true);
        }
      }),
      { numRuns: 60 },
    );
  });

  it('keeps what an earlier run has left, as the newest of the full ones', () => {
    writeFileSync(at('t'), 'former run\n');
    write(at('t'), ['new\n'], 4096);
    expect(readFileSync(at('t'), 'utf8')).toBe('new\n');
    expect(readFileSync(at('t.1'), 'utf8')).toBe('former run\n');
    expect(statSync(at('t.1')).mode & 0o777).toBe(0o600);
  });

  it('moves only as many as there are: a gap is filled', () => {
    writeFileSync(at('t'), 'zero\n');
    writeFileSync(at('t.1'), 'one\n');
    writeFileSync(at('t.3'), 'three\n');
    write(at('t'), [], 4096);
    expect(readFileSync(at('t.2'), 'utf8')).toBe('one\n');
    expect(readFileSync(at('t.3'), 'utf8')).toBe('three\n');
  });

  it('is for its owner alone, each of them', () => {
    const umask = process.umask(0);
    try {
      write(at('t'), ['aaaa\n', 'bbbb\n', 'cccc\n'], 5);
    } finally {
      process.umask(umask);
    }
    for (const name of readdirSync(at())) expect(statSync(at(name)).mode & 0o777).toBe(0o600);
  });

  it('that a link of the own user points to is rotated where it lies', () => {
    writeFileSync(at('real'), '');
    symlinkSync(at('real'), at('link'));
    write(at('link'), ['aaaa\n', 'bbbb\n'], 5);
    expect(readdirSync(at()).sort()).toEqual(['link', 'real', 'real.1']);
    expect(readFileSync(at('link'), 'utf8')).toBe('bbbb\n');
  });

  it('does not begin where one of the names is no regular file: nothing is emptied', () => {
    writeFileSync(at('precious'), 'precious');
    symlinkSync(at('precious'), at('t.2'));
    writeFileSync(at('t'), 'kept');
    expect(() => write(at('t'), ['x'], 4096)).toThrow(UsageError);
    expect(() => write(at('t'), ['x'], 4096)).toThrow(`'${at('t.2')}' is no regular file: not replaced by --rotate`);
    expect(readFileSync(at('t'), 'utf8')).toBe('kept');
    expect(readFileSync(at('precious'), 'utf8')).toBe('precious');
  });

  it('does not replace a file of another user, also when it comes later', (ctx) => {
    ctx.skip(!isRoot, 'only root can give a file to another user');
    const file = new RotatingFile(at('t'), { bytes: 5, count: 3 });
    file.write('aaaa\n');
    writeFileSync(at('t.1'), 'precious');
    chownSync(at('t.1'), OTHER_USER, OTHER_USER);
    expect(() => file.write('bbbb\n')).toThrow(`'${at('t.1')}' belongs to another user (uid ${OTHER_USER})`);
    file.close();
    expect(readFileSync(at('t'), 'utf8')).toBe('aaaa\n');
    expect(readFileSync(at('t.1'), 'utf8')).toBe('precious');
  });

  it('is no device and no pipe', () => {
    expect(() => new RotatingFile('/dev/null', { bytes: 4096, count: 1 })).toThrow('cannot be rotated');
  });
});
