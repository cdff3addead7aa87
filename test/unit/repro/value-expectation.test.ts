import { describe, expect, it } from 'vitest';
import { byKernel } from '../../../src/repro/by-kernel.js';
import { type Check, runCheck } from '../../../src/repro/check.js';
import { ValueExpectation } from '../../../src/repro/expect.js';
import { observation } from '../../support/observation.js';

function checkOf(actual: unknown, say: (value: ValueExpectation) => void) {
  const checks: Check[] = [];
  say(new ValueExpectation('the answer', actual, (check) => checks.push(check)));
  const [check] = checks;
  if (!check) throw new Error('nothing is expected');
  return runCheck(check, observation({ version: [6, 12] }));
}

describe('what a case has found out itself', () => {
  it('is compared in depth, by kernel where that differs', () => {
    expect(checkOf(['R'], (value) => value.toBe(['R']))).toMatchObject({ status: 'ok', text: "the answer is [ 'R' ]" });
    expect(checkOf('A', (value) => value.toBe(byKernel({ '<6.1': 'A', else: 'R' })))).toMatchObject({
      status: 'failed',
      seen: "'A'",
    });
  });

  it.each([
    [1, 'ok'],
    [2, 'ok'],
    [0.99, 'failed'],
    [2.01, 'failed'],
    [Number.NaN, 'failed'],
    [undefined, 'failed'],
  ])('a measured %s is %s between 1 and 2, and is shown', (actual, status) => {
    expect(checkOf(actual, (value) => value.toBeBetween(1, 2, 's'))).toEqual({
      text: 'the answer is 1 to 2 s',
      status,
      seen: `${actual} s`,
      measured: true,
    });
  });

  it('is shown in one line, and a measurement with the digits that mean something', () => {
    const long = Array.from({ length: 40 }, (_, i) => `value ${i}`);
    expect(checkOf(long, (value) => value.toBe([])).seen).not.toContain('\n');
    expect(checkOf(6.6499999999999995, (value) => value.toBeBetween(7 * 0.95, 21, 's'))).toMatchObject({
      text: 'the answer is 6.65 to 21 s',
      seen: '6.65 s',
    });
  });
});
