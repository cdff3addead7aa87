import { appendFileSync, renameSync, truncateSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it, vi } from 'vitest';
import { hasZstdOfNode } from '../../../src/read/decompress.js';
import { type ReadProblem, readTraces } from '../../../src/read/read-traces.js';
import { jsonLine } from '../../../src/sinks/json.js';
import { openWriter } from '../../../src/sinks/open-writer.js';
import { useFolder } from '../../support/folder.js';
import { skbTrace, traceEvent } from '../../support/traces.js';

vi.setConfig({ testTimeout: 60_000 });

const at = useFolder();
const line = (id: string) => jsonLine(skbTrace({ id, events: [traceEvent()] }));

/** Follows a file beside the test; `ids` grows as records come. */
function follow(path: string) {
  const stop = new AbortController();
  const ids: string[] = [];
  const problems: ReadProblem[] = [];
  const reading = (async () => {
    const onProblem = (problem: ReadProblem) => problems.push(problem);
    for await (const record of readTraces(path, { follow: true, signal: stop.signal, onProblem })) {
      if (record.type === 'trace') ids.push(record.id);
    }
  })();
  return {
    ids,
    problems,
    reading,
    until: (expected: readonly string[]) =>
      vi.waitFor(() => expect(ids).toEqual(expected), { timeout: 20_000, interval: 20 }),
    end: async () => {
      stop.abort();
      await reading;
    },
  };
}

describe('a file that is followed', () => {
  it('is waited for at its end, within a line as well, until the signal comes', async () => {
    writeFileSync(at('t'), line('1'));
    const followed = follow(at('t'));
    await followed.until(['1']);
    const second = line('2');
    appendFileSync(at('t'), second.slice(0, 50));
    await sleep(300);
    appendFileSync(at('t'), `${second.slice(50)}${line('3')}`);
    await followed.until(['1', '2', '3']);
    await followed.end();
    expect(followed.problems).toEqual([]);
  });

  it.for([
    ['goes on with the file that takes its name', ['t.1']],
    ['loses nothing where several are rotated away between two looks', ['t.3', 't.2', 't.1']],
  ] as const)('%s', async ([, [own, ...between]]) => {
    writeFileSync(at('t'), line('1'));
    const followed = follow(at('t'));
    await followed.until(['1']);
    renameSync(at('t'), at(own));
    appendFileSync(at(own), line('2'));
    const expected = ['1', '2'];
    for (const name of [...between, 't']) {
      expected.push(`${expected.length + 1}`);
      writeFileSync(at(name), line(expected.at(-1)!));
    }
    await followed.until(expected);
    await followed.end();
    expect(followed.problems).toEqual([]);
  });

  it('waits while nobody has its name', async () => {
    writeFileSync(at('t'), line('1'));
    const followed = follow(at('t'));
    await followed.until(['1']);
    renameSync(at('t'), at('elsewhere'));
    await sleep(500);
    writeFileSync(at('t'), line('2'));
    await followed.until(['1', '2']);
    await followed.end();
  });

  it.for(['t', 't.gz', 't.zst'])('written as %s with rotation comes whole and in order', async (name, ctx) => {
    ctx.skip(name === 't.zst' && !hasZstdOfNode(), 'this Node has no zstd');
    const output = at(name);
    const writer = openWriter({ output, rotate: '4K,99' });
    const followed = follow(output);
    const expected: string[] = [];
    for (let i = 0; i < 60; i++) {
      expected.push(i.toString(16));
      await writer.write(line(i.toString(16)));
      if (i % 7 === 0) await sleep(30);
    }
    await writer.close();
    await followed.until(expected);
    await followed.end();
    expect(followed.problems).toEqual([]);
  });

  it('that is emptied is read from its start again, and that is said', async () => {
    writeFileSync(at('t'), line('1') + line('2'));
    const followed = follow(at('t'));
    await followed.until(['1', '2']);
    truncateSync(at('t'));
    await vi.waitFor(() => expect(followed.problems).toHaveLength(1), { timeout: 20_000 });
    appendFileSync(at('t'), line('3'));
    await followed.until(['1', '2', '3']);
    await followed.end();
    expect(followed.problems).toMatchObject([{ kind: 'emptied', file: at('t') }]);
  });

  it('and compressed by zstd asks for a Node that knows it', async (ctx) => {
    ctx.skip(hasZstdOfNode(), 'this Node has zstd');
    writeFileSync(at('t'), Buffer.from([0x28, 0xb5, 0x2f, 0xfd]));
    const followed = follow(at('t'));
    await expect(followed.reading).rejects.toThrow('this Node cannot follow files that zstd compresses');
  });

  it('must be a regular file that is there', async () => {
    const read = async (path: string) => {
      for await (const _ of readTraces(path, { follow: true }));
    };
    await expect(read(at('missing'))).rejects.toThrow('there is no such file');
    await expect(read('/dev/null')).rejects.toThrow("'/dev/null' cannot be followed: it is no regular file");
  });
});
