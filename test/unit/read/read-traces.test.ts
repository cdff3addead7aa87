import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { PassThrough, Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { NettraceError } from '../../../src/errors.js';
import { type ReadOptions, type ReadProblem, readTraces } from '../../../src/read/read-traces.js';
import { jsonLine } from '../../../src/sinks/json.js';
import type { OutputRecord } from '../../../src/types.js';
import { useFolder } from '../../support/folder.js';
import { RECORDS } from '../../support/output-records.js';
import { skbTrace, traceEvent } from '../../support/traces.js';

vi.setConfig({ testTimeout: 60_000 });

const at = useFolder();
const hasZstd = spawnSync('zstd', ['-V']).status === 0;
const TRACES = Array.from({ length: 12 }, (_, i) => skbTrace({ id: i.toString(16), events: [traceEvent({ cpu: i })] }));
const LINES = TRACES.map(jsonLine);

async function* inPieces(bytes: Uint8Array, size = 1000): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

interface Read {
  records: OutputRecord[];
  problems: ReadProblem[];
}

async function readAll(from: Parameters<typeof readTraces>[0], options: ReadOptions = {}): Promise<Read> {
  const read: Read = { records: [], problems: [] };
  const onProblem = (problem: ReadProblem) => read.problems.push(problem);
  for await (const record of readTraces(from, { onProblem, ...options })) read.records.push(record);
  return read;
}

/** Each group of lines compressed by itself, as the writer does it. */
function gzipBlocks(lines: readonly string[], perBlock: number): { bytes: Buffer; ends: number[] } {
  const blocks: Buffer[] = [];
  for (let i = 0; i < lines.length; i += perBlock) blocks.push(gzipSync(lines.slice(i, i + perBlock).join('')));
  const ends = blocks.map((_, i) => Buffer.concat(blocks.slice(0, i + 1)).length);
  return { bytes: Buffer.concat(blocks), ends };
}

describe('reading', () => {
  it('gives every kind of record back as it was written', async () => {
    const text = RECORDS.map(jsonLine).join('');
    expect(await readAll(inPieces(Buffer.from(text)))).toEqual({ records: RECORDS, problems: [] });
  });

  it('takes a stream, of text as well', async () => {
    expect((await readAll(Readable.from(LINES))).records).toEqual(TRACES);
  });

  it.for(['plain', 'gzip', 'zstd'])('finds out by the first bytes that a file is %s', async (how, ctx) => {
    ctx.skip(how === 'zstd' && !hasZstd, 'there is no command zstd');
    const plain = Buffer.from(LINES.join(''));
    const zstd = () => spawnSync('zstd', ['-q', '-c'], { input: plain }).stdout;
    writeFileSync(at('t'), how === 'plain' ? plain : how === 'gzip' ? gzipSync(plain) : zstd());
    expect(await readAll(at('t'))).toEqual({ records: TRACES, problems: [] });
  });

  it('is done with an empty file at once', async () => {
    writeFileSync(at('t'), '');
    expect(await readAll(at('t'))).toEqual({ records: [], problems: [] });
  });

  it('leaves out empty lines, and takes a last line without its end, and a byte order mark', async () => {
    const text = `\ufeff${LINES[0]}\n\n${LINES[1]!.trimEnd()}`;
    expect(await readAll(inPieces(Buffer.from(text)))).toEqual({ records: TRACES.slice(0, 2), problems: [] });
  });

  it('tells of what is no record with file and line, made visible and shortened, and goes on', async () => {
    const hostile = `\x1b[2J${'x'.repeat(200)}`;
    writeFileSync(at('t'), `${LINES[0]}${hostile}\n{"v":2}\n${LINES[1]}`);
    const { records, problems } = await readAll(at('t'));
    expect(records).toEqual(TRACES.slice(0, 2));
    expect(problems).toEqual([
      { kind: 'line', file: at('t'), line: 2, text: `no JSON: '\\x1b[2J${'x'.repeat(56)}...'` },
      { kind: 'line', file: at('t'), line: 3, text: 'version 2, of which this nettrace knows nothing: \'{"v":2}\'' },
    ]);
  });

  it('throws what nobody listens for', async () => {
    const read = async () => {
      for await (const _ of readTraces(inPieces(Buffer.from('no\n'))));
    };
    await expect(read()).rejects.toThrow(new NettraceError("standard input:1: no JSON: 'no'"));
  });

  it.each([
    ['missing', 'there is no such file'],
    ['.', 'it is a directory'],
  ])('says of %s that %s', async (name, why) => {
    await expect(readAll(at(name))).rejects.toThrow(`cannot read '${at(name)}': ${why}`);
  });

  it('ends when its signal says so, also while it waits for a stream', async () => {
    const stream = new PassThrough();
    const stop = new AbortController();
    stream.write(LINES.slice(0, 2).join(''));
    const records: OutputRecord[] = [];
    for await (const record of readTraces(stream, { signal: stop.signal })) {
      if (records.push(record) === 2) setTimeout(() => stop.abort(), 5);
    }
    expect(records).toEqual(TRACES.slice(0, 2));
  });

  it('skips a line that is too long, with its number', async () => {
    const long = Buffer.alloc(17 * 2 ** 20, 'x');
    const bytes = Buffer.concat([Buffer.from(LINES[0]!), long, Buffer.from(`\n${LINES[1]}`)]);
    const { records, problems } = await readAll(inPieces(bytes, 2 ** 18));
    expect(records).toEqual(TRACES.slice(0, 2));
    expect(problems).toMatchObject([{ kind: 'line', line: 2, text: expect.stringContaining('17825792 bytes') }]);
  });
});

describe('a file that is cut off', () => {
  it('at any byte loses only the record that was cut', async () => {
    const bytes = Buffer.from(LINES.join(''));
    await fc.assert(
      fc.asyncProperty(fc.nat(bytes.length), fc.integer({ min: 1, max: 5000 }), async (end, size) => {
        const kept = bytes.subarray(0, end);
        const { records, problems } = await readAll(inPieces(kept, size));
        const whole = kept.toString().split('\n');
        const rest = whole.pop()!;
        // the last line is whole without its end
        const isWhole = LINES.includes(`${rest}\n`);
        expect(records).toEqual(TRACES.slice(0, whole.length + Number(isWhole)));
        expect(problems.map(({ kind }) => kind)).toEqual(rest === '' || isWhole ? [] : ['cut']);
      }),
    );
  });

  it('and compressed loses only what was in the block that was cut', async () => {
    const { bytes, ends } = gzipBlocks(LINES, 3);
    await fc.assert(
      fc.asyncProperty(fc.nat(bytes.length), fc.integer({ min: 1, max: 500 }), async (end, size) => {
        const { records, problems } = await readAll(inPieces(bytes.subarray(0, end), size));
        const blocks = ends.filter((blockEnd) => blockEnd <= end).length;
        expect(records).toEqual(TRACES.slice(0, records.length));
        expect(records.length).toBeGreaterThanOrEqual(3 * blocks);
        const isCut = end > 0 && !ends.includes(end);
        expect(problems.map(({ kind }) => kind)).toEqual(isCut ? ['cut'] : []);
      }),
    );
  });

  it('and compressed by zstd is read up to there as well', async (ctx) => {
    ctx.skip(!hasZstd, 'there is no command zstd');
    const block = (lines: readonly string[]) => spawnSync('zstd', ['-q', '-c'], { input: lines.join('') }).stdout;
    const bytes = Buffer.concat([block(LINES.slice(0, 6)), block(LINES.slice(6))]);
    writeFileSync(at('t'), bytes.subarray(0, bytes.length - 9));
    const { records, problems } = await readAll(at('t'));
    expect(records.slice(0, 6)).toEqual(TRACES.slice(0, 6));
    expect(problems.map(({ kind }) => kind)).toEqual(['cut']);
  });
});

describe('bytes of any kind', () => {
  it('never do more than make problems', async () => {
    const gzip = gzipSync(LINES.join(''));
    const damaged = fc.tuple(fc.nat(gzip.length - 1), fc.nat(255)).map(([place, byte]) => {
      const copy = Buffer.from(gzip);
      copy[place] = byte;
      return copy;
    });
    const noise = fc.uint8Array({ maxLength: 300 });
    const magic = noise.map((bytes) => Buffer.concat([Buffer.from([0x1f, 0x8b]), bytes]));
    const json = fc.json().map((text) => Buffer.from(`${text}\n`));
    await fc.assert(
      fc.asyncProperty(fc.oneof(noise, magic, damaged, json), fc.integer({ min: 1, max: 400 }), async (bytes, size) => {
        const { records } = await readAll(inPieces(bytes, size));
        expect(records.length).toBeLessThanOrEqual(TRACES.length);
      }),
      { numRuns: 400 },
    );
  });

  it('behind the end of compressed data are damage, but for zeros', async () => {
    const zeros = Buffer.concat([gzipSync(LINES.join('')), Buffer.alloc(3000)]);
    expect(await readAll(inPieces(zeros))).toEqual({ records: TRACES, problems: [] });
    const { records, problems } = await readAll(inPieces(Buffer.concat([zeros, Buffer.from('more')])));
    expect(records).toEqual(TRACES);
    expect(problems).toMatchObject([{ kind: 'damaged', text: expect.stringContaining('more data behind their end') }]);
  });

  it('that only begin like zstd are damaged, or cut off', async (ctx) => {
    ctx.skip(!hasZstd, 'there is no command zstd');
    for (const rest of ['', 'x', 'much more that is no frame']) {
      const { records, problems } = await readAll(inPieces(Buffer.from(`\x28\xb5\x2f\xfd${rest}`, 'latin1')));
      expect(records).toEqual([]);
      expect(problems).toHaveLength(1);
    }
  });

  it('that unpack to much more are read in pieces', async () => {
    const bomb = gzipSync(Buffer.alloc(200 * 2 ** 20));
    const before = process.memoryUsage().rss;
    let highest = 0;
    const timer = setInterval(() => {
      highest = Math.max(highest, process.memoryUsage().rss);
    }, 5);
    const { problems } = await readAll(inPieces(bomb, 2 ** 16));
    clearInterval(timer);
    expect(problems).toHaveLength(1);
    expect(highest - before).toBeLessThan(120 * 2 ** 20);
  });
});

describe('the library', () => {
  it('exports it with the rest, and by itself for machines that cannot trace', async () => {
    const exports = JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8')).exports;
    expect(exports).toHaveProperty(['./read']);
    expect(Object.keys(await import('../../../src/read/index.js'))).toEqual([
      'NettraceError',
      'UsageError',
      'readTraces',
    ]);
  });
});
