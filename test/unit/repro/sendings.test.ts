import { describe, expect, it } from 'vitest';
import {
  isSentAgain,
  type SendingAgain,
  sendingAgainText,
  sendingsText,
  sendingTimes,
} from '../../../src/repro/sendings.js';
import type { SkbTrace } from '../../../src/types.js';
import { skbTrace, traceEvent } from '../../support/traces.js';

const CLIENT = 1;
const SERVER = 2;

function sent(func: string, ...times: number[]): SkbTrace {
  const events = times.flatMap((t) => [
    traceEvent({ t, func, netns: CLIENT }),
    traceEvent({ t: t + 0.001, func: 'ip_rcv', netns: SERVER }),
  ]);
  return skbTrace({ events });
}

describe('when packets left a host', () => {
  it('is the same for copies in one trace and for traces of their own', () => {
    expect(sendingTimes([sent('dev_hard_start_xmit', 1, 2, 4)], CLIENT)).toEqual([1, 2, 4]);
    const apart = [4, 1, 2].map((t) => sent('net_dev_start_xmit', t));
    expect(sendingTimes(apart, CLIENT)).toEqual([1, 2, 4]);
  });

  it('counts no packet twice that a function and a tracepoint have seen', () => {
    const both = [sent('dev_hard_start_xmit', 1, 2), sent('net_dev_start_xmit', 1.0001, 2.0001)];
    expect(sendingTimes(both, CLIENT)).toEqual([1, 2]);
  });

  it('does not count what another host sends', () => {
    expect(sendingTimes([sent('dev_hard_start_xmit', 1)], SERVER)).toEqual([]);
  });

  it('is shown from the first one on', () => {
    expect(sendingsText([100, 101.0071, 103.0192])).toBe('0, 1.007, 3.019 s');
    expect(sendingsText([])).toBe('it was not sent');
  });
});

describe('pauses of a timer', () => {
  const doubling = { times: 2, first: [0.9, 1.5] } as const;

  it.each<[string, number[], SendingAgain, boolean]>([
    ['each twice as long', [0, 1, 3], doubling, true],
    ['the timers a little late', [0, 1.06, 3.3], doubling, true],
    ['the second one not longer', [0, 1, 2], doubling, false],
    ['the second one far longer', [0, 1, 4.5], doubling, false],
    ['a late timer, and one in time', [0, 1.45, 3.45], doubling, true],
    ['a timer in time, and a late one', [0, 1, 3.9], doubling, true],
    ['at least so often', [0, 1], { ...doubling, times: [1, 2] }, true],
    ['at most so often', [0, 1, 3], { ...doubling, times: [1, 2] }, true],
    ['not so often', [0], { ...doubling, times: [1, 2] }, false],
    ['more often', [0, 1, 3, 7], { ...doubling, times: [1, 2] }, false],
    ['the first one too short', [0, 0.5, 1.5], doubling, false],
    ['one too few', [0, 1], doubling, false],
    ['one too many', [0, 1, 3, 7], doubling, false],
    ['all alike', [0, 1, 2.02], { ...doubling, factor: 1 }, true],
    ['not alike', [0, 1, 3], { ...doubling, factor: 1 }, false],
    ['never sent again', [0], { ...doubling, times: 0 }, true],
    ['never sent', [], { ...doubling, times: 0 }, false],
  ])('%s: %j', (_, times, again, expected) => {
    expect(isSentAgain(times, again)).toBe(expected);
  });

  it('are told in words', () => {
    expect(sendingAgainText(doubling)).toBe(
      '2 times again, the first pause 0.9 to 1.5 s, and each next one 2 times as long',
    );
    expect(sendingAgainText({ ...doubling, times: [1, 3], factor: 1 })).toBe(
      '1 to 3 times again, the first pause 0.9 to 1.5 s, and the next ones as long',
    );
  });
});
