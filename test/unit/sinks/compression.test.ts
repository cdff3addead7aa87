import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import * as zlib from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { NettraceError } from '../../../src/errors.js';
import { type ReadProblem, readTraces } from '../../../src/read/read-traces.js';
import { type BlockSink, type Compress, CompressingWriter, compressionFor } from '../../../src/sinks/compression.js';
import { jsonLine } from '../../../src/sinks/json.js';
import { openWriter } from '../../../src/sinks/open-writer.js';
import type { OutputRecord } from '../../../src/types.js';
import { ROOT } from '../../support/command.js';
import { useFolder } from '../../support/folder.js';
import { skbTrace, traceEvent } from '../../support/traces.js';

vi.setConfig({ testTimeout: 60_000 });

const at = useFolder();
const hasZstd = spawnSync('zstd', ['-V']).status === 0;
const NO_ZSTD = 'there is no command zstd';
const gzip = compressionFor('x.gz')!;

/** Keeps the blocks as they come. */
class Blocks implements BlockSink {
  readonly list: Uint8Array[] = [];
  isClosed = false;

  write(block: Uint8Array): void {
    this.list.push(block);
  }

  close(): void {
    this.isClosed = true;
  }
}

/** The traces of a file whose end may be missing, and nothing else. */
async function idsIn(path: string): Promise<string[]> {
  const ids: string[] = [];
  const onProblem = ({ kind }: ReadProblem) => expect(kind).toBe('cut');
  for await (const record of readTraces(path, { onProblem })) if (record.type === 'trace') ids.push(record.id);
  return ids;
}

describe('compressed output', () => {
  it('is chosen by the end of the name', () => {
    expect(compressionFor('t.ndjson')).toBeUndefined();
    expect(compressionFor('t.gz.ndjson')).toBeUndefined();
    expect(compressionFor('t.ndjson.gz')).toBeTypeOf('function');
  });

  it('is blocks that can each be read alone, of whole texts', async () => {
    const blocks = new Blocks();
    const writer = new CompressingWriter(blocks, gzip, 10);
    for (const text of ['one\n', 'two\n', 'three\n', 'four\n']) await writer.write(text);
    await writer.close();
    expect(blocks.list.map((block) => zlib.gunzipSync(block).toString())).toEqual(['one\ntwo\nthree\n', 'four\n']);
    expect(blocks.isClosed).toBe(true);
  });

  it('comes to the file within about a second, also when nothing more is written', async () => {
    const blocks = new Blocks();
    const writer = new CompressingWriter(blocks, gzip);
    await writer.write('one\n');
    expect(blocks.list).toHaveLength(0);
    await vi.waitFor(() => expect(blocks.list).toHaveLength(1), { timeout: 10_000 });
    await writer.close();
    expect(blocks.list).toHaveLength(1);
  });

  it('makes who writes faster than it is compressed wait', async () => {
    let release = () => {};
    const slow: Compress = (block) =>
      new Promise((resolve) => {
        release = () => resolve(block);
      });
    const writer = new CompressingWriter(new Blocks(), slow, 1);
    let isDone = false;
    const writing = writer.write('one').then(() => {
      isDone = true;
    });
    await sleep(20);
    expect(isDone).toBe(false);
    release();
    await writing;
    await writer.close();
  });

  it('tells a failure to the write that had it, or to the next, and once', async () => {
    const fail = () => Promise.reject(new NettraceError('the disk is full'));
    const writer = new CompressingWriter(new Blocks(), fail, 1);
    await expect(writer.write('one')).rejects.toThrow('the disk is full');
    await expect(writer.write('two')).rejects.toThrow('the disk is full');
    await writer.close();
    const late = new CompressingWriter(new Blocks(), fail, 100);
    await late.write('one');
    await expect(late.close()).rejects.toThrow('the disk is full');
  });

  it.for(['t', 't.gz', 't.zst'])('%s comes back as it was, rotated', async (name, ctx) => {
    ctx.skip(name === 't.zst' && !hasZstd, NO_ZSTD);
    const event = fc.record({ comm: fc.string({ unit: 'binary' }), cpu: fc.nat(64) });
    let run = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(fc.array(event, { maxLength: 20 }), { minLength: 1, maxLength: 30 }), async (all) => {
        const folder = at(`run${run++}`);
        mkdirSync(folder);
        const output = `${folder}/${name}`;
        const traces = all.map((events, i) =>
          skbTrace({ id: i.toString(16), events: events.map((e) => traceEvent(e)) }),
        );
        const writer = openWriter({ output, rotate: '4K,99' });
        for (const trace of traces) await writer.write(jsonLine(trace));
        await writer.close();
        const number = (file: string) => Number(/\d+/.exec(file)?.[0] ?? 0);
        const records: OutputRecord[] = [];
        for (const file of readdirSync(folder).sort((a, b) => number(b) - number(a))) {
          expect(statSync(`${folder}/${file}`).mode & 0o777).toBe(0o600);
          for await (const record of readTraces(`${folder}/${file}`)) records.push(record);
        }
        expect(records).toEqual(traces);
      }),
      { numRuns: name === 't.zst' ? 4 : 15 },
    );
  });
});

describe('a process that is killed while it writes', () => {
  it.for(['t.ndjson', 't.ndjson.gz', 't.ndjson.zst'])('leaves a readable %s behind', async (name, ctx) => {
    ctx.skip(name.endsWith('.zst') && !hasZstd, NO_ZSTD);
    const program = `
      const { openWriter } = await import('${ROOT}dist/sinks/open-writer.js');
      const writer = openWriter({ output: process.argv[1] });
      const trace = JSON.parse(process.argv[2]);
      for (let i = 0; ; i++) {
        await writer.write(JSON.stringify({ ...trace, id: i.toString(16) }) + '\\n');
        if (i % 1000 === 0) console.log(i);
        await new Promise((resolve) => setImmediate(resolve));
      }`;
    const trace = skbTrace({ events: Array.from({ length: 20 }, () => traceEvent()) });
    const words = ['--input-type=module', '-e', program, at(name), JSON.stringify(trace)];
    const child = spawn(process.execPath, words, { stdio: ['ignore', 'pipe', 'inherit'] });
    await vi.waitFor(() => expect(statSync(at(name)).size).toBeGreaterThan(20_000), { timeout: 30_000, interval: 20 });
    child.kill('SIGKILL');
    await once(child, 'exit');
    const ids = await idsIn(at(name));
    expect(ids.length).toBeGreaterThan(3);
    expect(ids).toEqual(ids.map((_, i) => i.toString(16)));
  });
});

describe('a full disk', () => {
  it('keeps the blocks that were written whole', async (ctx) => {
    mkdirSync(at('disk'));
    const { status, stderr } = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', at('disk')], {
      encoding: 'utf8',
    });
    ctx.skip(status !== 0, `a small tmpfs cannot be mounted here: ${stderr?.trim()}`);
    try {
      const output = at('disk/t.gz');
      const writer = openWriter({ output });
      let written = 0;
      const write = async () => {
        for (;;) {
          const noise = Array.from({ length: 500 }, () => traceEvent({ comm: Math.random().toString(36) }));
          await writer.write(jsonLine(skbTrace({ id: (written++).toString(16), events: noise })));
        }
      };
      await expect(write()).rejects.toThrow(`cannot write '${output}': the disk is full`);
      await writer.close();
      const ids = await idsIn(output);
      expect(ids.length).toBeGreaterThan(0);
      expect(ids.length).toBeLessThan(written);
      expect(readFileSync(output).length).toBeGreaterThan(0);
    } finally {
      execFileSync('umount', [at('disk')]);
    }
  });
});

describe('zstd', () => {
  it('that is nowhere is asked for in words', (ctx) => {
    ctx.skip('zstdCompress' in zlib, 'this Node has zstd');
    vi.stubEnv('PATH', at());
    try {
      expect(() => openWriter({ output: at('t.zst') })).toThrow('neither this Node nor this machine has zstd');
    } finally {
      vi.unstubAllEnvs();
    }
  });
});
