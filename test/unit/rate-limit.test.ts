import { expect, it } from 'vitest';
import { RateLimit } from '../../src/rate-limit.js';

it('allows so many records in each second of their own clock, and counts the others', () => {
  const limit = new RateLimit(2);
  const times = [7.1, 7.2, 7.3, 7.999, 8, 8.5, 8.9, 10];
  expect(times.filter((time) => limit.allows(time))).toEqual([7.1, 7.2, 8, 8.5, 10]);
  expect(limit.leftOut).toBe(3);
});
