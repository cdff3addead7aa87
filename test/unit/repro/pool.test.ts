import { describe, expect, it } from 'vitest';
import { runPool } from '../../../src/repro/pool.js';

/** Tasks that end when they are told to, in any order. */
function tasks(count: number) {
  const begun: number[] = [];
  const ends: ((failure?: Error) => void)[] = [];
  const list = Array.from({ length: count }, (_, i) => () => {
    begun.push(i);
    return new Promise<number>((resolve, reject) => {
      ends[i] = (failure) => (failure ? reject(failure) : resolve(i));
    });
  });
  return { begun, ends, list };
}

const turn = () => new Promise(setImmediate);

describe('a pool', () => {
  it('runs so many at once, and gives results as they come', async () => {
    const { begun, ends, list } = tasks(4);
    const results: number[] = [];
    const all = (async () => {
      for await (const one of runPool(list, 2, () => {})) results.push(one);
    })();
    await turn();
    expect(begun).toEqual([0, 1]);
    ends[1]!();
    await turn();
    expect({ results: [...results], begun: [...begun] }).toEqual({ results: [1], begun: [0, 1, 2] });
    ends[0]!();
    ends[2]!();
    await turn();
    ends[3]!();
    await all;
    expect(results).toEqual([1, 0, 2, 3]);
  });

  it('that is left stops what is running, begins nothing more, and waits', async () => {
    const { begun, ends, list } = tasks(5);
    let stopped = 0;
    const all = (async () => {
      for await (const _ of runPool(list, 2, () => stopped++)) break;
    })();
    await turn();
    ends[0]!();
    await turn();
    expect({ begun, stopped }).toEqual({ begun: [0, 1], stopped: 1 });
    let hasEnded = false;
    void all.then(() => {
      hasEnded = true;
    });
    await turn();
    expect(hasEnded).toBe(false);
    ends[1]!();
    await all;
  });

  it('that is left discards what ended and was not taken', async () => {
    const { ends, list } = tasks(4);
    const discarded: number[] = [];
    const discard = async (one: number) => void discarded.push(one);
    let taken: number | undefined;
    const all = (async () => {
      for await (const one of runPool(list, 3, () => {}, discard)) {
        taken = one;
        ends[0]!();
        await turn();
        break;
      }
    })();
    await turn();
    ends[1]!();
    await turn();
    ends[2]!(new Error('stopped'));
    await turn();
    await turn();
    ends[3]?.();
    await all;
    expect({ taken, discarded }).toEqual({ taken: 1, discarded: [0] });
  });

  it('tells of the first failure when the others have ended', async () => {
    const { ends, list } = tasks(3);
    let stopped = 0;
    const all = (async () => {
      for await (const _ of runPool(list, 3, () => stopped++));
    })();
    await turn();
    ends[1]!(new Error('first'));
    await turn();
    expect(stopped).toBe(1);
    ends[0]!(new Error('second'));
    ends[2]!();
    await expect(all).rejects.toThrow('first');
  });

  it('of nothing gives nothing', async () => {
    for await (const _ of runPool([], 3, () => expect.fail())) expect.fail();
  });
});
