import { spawnSync } from 'node:child_process';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BadFrame, ZstdFrames } from '../../../src/read/zstd-frames.js';

const hasZstd = spawnSync('zstd', ['-V']).status === 0;

function zstd(input: string | Uint8Array, ...words: string[]): Buffer {
  return spawnSync('zstd', ['-q', '-c', ...words], { input, maxBuffer: 2 ** 30 }).stdout;
}

/** The frames as they are found where the bytes come in pieces of this size. */
function framesOf(bytes: Uint8Array, size: number): Buffer[] {
  const frames = new ZstdFrames();
  const found: Buffer[] = [];
  let begun: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; at += size) {
    for (const piece of frames.push(bytes.subarray(at, at + size))) {
      begun.push(piece.bytes);
      if (!piece.isEnd) continue;
      found.push(Buffer.concat(begun));
      begun = [];
    }
  }
  expect(frames.isInside).toBe(begun.length > 0);
  if (begun.length > 0) found.push(Buffer.concat(begun));
  return found;
}

describe('frames of zstd', () => {
  it('are found, of every kind, however the bytes come', (ctx) => {
    ctx.skip(!hasZstd, 'there is no command zstd');
    const noise = Buffer.from(Array.from({ length: 300_000 }, (_, i) => (i * 7919) ^ (i >> 3)));
    const skippable = Buffer.from([0x53, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3]);
    const list = [
      zstd('hello\n'),
      zstd(''),
      zstd('hello\n', '--no-check'),
      skippable,
      Buffer.from([0x50, 0x2a, 0x4d, 0x18, 0, 0, 0, 0]),
      zstd(Buffer.alloc(1_000_000)),
      zstd(noise, '-19'),
      zstd(noise, '--stream-size=300000'),
    ];
    fc.assert(
      fc.property(fc.shuffledSubarray(list), fc.integer({ min: 1, max: 100_000 }), (frames, size) => {
        expect(framesOf(Buffer.concat(frames), size).map((f) => f.toString('hex'))).toEqual(
          frames.map((f) => f.toString('hex')),
        );
      }),
      { numRuns: 30 },
    );
  });

  it('that are cut off are begun and not ended', (ctx) => {
    ctx.skip(!hasZstd, 'there is no command zstd');
    const frame = zstd('hello\n');
    for (let end = 1; end < frame.length; end++) {
      const frames = new ZstdFrames();
      expect([...frames.push(frame.subarray(0, end))].every((piece) => !piece.isEnd)).toBe(true);
      expect(frames.isInside).toBe(true);
    }
  });

  it('begin with their number', () => {
    expect(() => [...new ZstdFrames().push(Buffer.from('hello'))]).toThrow(BadFrame);
  });

  it('are looked for in anything without harm', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
        const all = Buffer.concat([Buffer.from([0x28, 0xb5, 0x2f, 0xfd]), bytes]);
        try {
          const pieces = [...new ZstdFrames().push(all)];
          expect(Buffer.concat(pieces.map((piece) => piece.bytes))).toEqual(all);
        } catch (error) {
          expect(error).toBeInstanceOf(BadFrame);
        }
      }),
    );
  });
});
