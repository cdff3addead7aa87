import { describe, expect, it } from 'vitest';
import { WallClock } from '../../../src/explain/wall-clock.js';

describe('the date of a monotonic time', () => {
  it('is the time of day, in UTC with microseconds', () => {
    const text = new WallClock().text(Number(process.hrtime.bigint()));
    expect(text).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/);
    expect(Math.abs(Date.parse(text) - Date.now())).toBeLessThan(5000);
  });

  it('goes on as the clock does, by the microsecond, over the end of a second', () => {
    const clock = new WallClock();
    const start = Number(process.hrtime.bigint());
    const micros = (text: string) => Math.floor(Date.parse(text) / 1000) * 1e6 + Number(text.slice(20, 26));
    const first = micros(clock.text(start));
    for (let us = 0; us < 3_000_000; us += 99_991) {
      const passed = micros(clock.text(start + us * 1000)) - first;
      expect(Math.abs(passed - us)).toBeLessThanOrEqual(1);
    }
  });
});
