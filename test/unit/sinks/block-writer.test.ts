import { describe, expect, it } from 'vitest';
import { BlockWriter } from '../../../src/sinks/block-writer.js';
import type { Writer } from '../../../src/sinks/stream-writer.js';

/** What was written, in blocks; `write`: what else happens then. */
function recorder(write: (text: string) => Promise<void> | void = () => {}) {
  const blocks: string[] = [];
  const inner: Writer = {
    closed: false,
    write(text) {
      blocks.push(text);
      return write(text);
    },
    close() {
      blocks.push('closed');
    },
  };
  return { blocks, inner };
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

describe('text that is written in blocks', () => {
  it('is written together at the end of the turn', async () => {
    const { blocks, inner } = recorder();
    const writer = new BlockWriter(inner, 100);
    for (const text of ['a', 'b', 'c']) await writer.write(text);
    expect(blocks).toEqual([]);
    await turn();
    expect(blocks).toEqual(['abc']);
  });

  it('is written at once where it makes a block, and the rest before the end', async () => {
    const { blocks, inner } = recorder();
    const writer = new BlockWriter(inner, 4);
    for (const text of ['ab', 'cd', 'e']) await writer.write(text);
    expect(blocks).toEqual(['abcd']);
    await writer.close();
    expect(blocks).toEqual(['abcd', 'e', 'closed']);
  });

  it('waits for the block before it, in order', async () => {
    let take = () => {};
    const { blocks, inner } = recorder(() => new Promise<void>((resolve) => (take = resolve)));
    const writer = new BlockWriter(inner, 2);
    const first = writer.write('ab');
    let isWritten = false;
    const second = Promise.resolve(writer.write('cd')).then(() => {
      isWritten = true;
    });
    await turn();
    expect(blocks).toEqual(['ab']);
    take();
    await first;
    await turn();
    expect(blocks).toEqual(['ab', 'cd']);
    expect(isWritten).toBe(false);
    take();
    await second;
  });

  it.each([
    [
      'at once',
      () => {
        throw new Error('the disk is full');
      },
    ],
    ['later', () => Promise.reject(new Error('the disk is full'))],
  ])('that fails %s is told to who writes next, once, and the file is closed', async (_, write) => {
    const { blocks, inner } = recorder(write);
    const writer = new BlockWriter(inner, 100);
    await writer.write('a');
    await turn();
    await turn();
    expect(() => writer.write('b')).toThrow('the disk is full');
    await writer.close();
    expect(blocks).toEqual(['a', 'closed']);
  });
});
