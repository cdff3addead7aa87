import { describe, expect, it } from 'vitest';
import { defaultSample, parseSample, SampleLevel } from '../../src/sample.js';

const MIB = 1024 * 1024;

describe('a sample', () => {
  it.each([
    ['auto', { oneOf: 1, adaptive: true }],
    ['off', { oneOf: 1, adaptive: false }],
    ['1/1', { oneOf: 1, adaptive: false }],
    ['1/1000000', { oneOf: 1_000_000, adaptive: false }],
  ])('%s is read', (text, sample) => {
    expect(parseSample(text)).toEqual(sample);
  });

  it.each(['', 'on', '1', '10', '2/3', '1/0', '1/-1', '1/1.5', '1/1000001', '1/x', ' 1/2'])(
    "'%s' is refused",
    (text) => {
      expect(() => parseSample(text)).toThrow(/auto, off, or 1\/N/);
    },
  );

  it('leaves nothing out by default where conclusions are drawn from what is not there', () => {
    expect([{}, { explain: true }, { counters: true }].map(defaultSample)).toEqual(['auto', 'off', 'off']);
  });
});

describe('the level of the ring buffer from which on packets are left out', () => {
  it('falls while records wait long, step by step, and not below what a batch needs', () => {
    const level = new SampleLevel(8 * MIB);
    expect(level.follow(200, 0)).toBeUndefined();
    expect(level.follow(400, 0)).toBe(MIB / 8);
    expect(level.follow(400, 50)).toBeUndefined();
    expect(level.follow(400, 100)).toBe(MIB / 16);
    for (let now = 200; now < 2000; now += 100) level.follow(400, now);
    expect(level.follow(400, 2000)).toBeUndefined();
    expect(level.follow(10, 2100)).toBe(128 * 1024);
  });

  it('rises to half of the buffer where they do not', () => {
    const level = new SampleLevel(8 * MIB);
    expect(level.follow(100, 0)).toBeUndefined();
    const times = Array.from({ length: 5 }, (_, i) => 10 + 100 * i);
    expect(times.map((now) => level.follow(10, now))).toEqual([MIB / 2, MIB, 2 * MIB, 4 * MIB, undefined]);
  });

  it('of a small buffer does not fall', () => {
    const level = new SampleLevel(4096);
    expect(level.follow(400, 0)).toBeUndefined();
    expect(level.follow(10, 0)).toBe(1024);
    expect(level.follow(10, 100)).toBe(2048);
    expect(level.follow(400, 200)).toBeUndefined();
  });
});
