import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream, existsSync } from 'node:fs';
import { PassThrough, type Writable } from 'node:stream';
import type { WriteStream } from 'node:tty';
import { describe, expect, it } from 'vitest';
import { StreamWriter } from '../../../src/sinks/stream-writer.js';

/** Standard output has the type of a terminal's stream whatever it is; of that nothing is used. */
function writerTo(stream: Writable): StreamWriter {
  return new StreamWriter(stream as unknown as WriteStream);
}

describe('writing to standard output', () => {
  it('waits while the stream is full', async () => {
    const stream = new PassThrough({ highWaterMark: 10 });
    const writer = writerTo(stream);
    await writer.write('short');
    let done = false;
    const waiting = writer.write('longer than the mark').then(() => {
      done = true;
    });
    await new Promise((resolve) => setImmediate(resolve));
    expect(done).toBe(false);
    stream.resume();
    await waiting;
    expect(done).toBe(true);
    expect(writer.closed).toBe(false);
  });

  it('leaves no listeners behind', async () => {
    const stream = new PassThrough({ highWaterMark: 1 });
    const writer = writerTo(stream.resume());
    const before = ['drain', 'error', 'close'].map((name) => stream.listenerCount(name));
    for (let i = 0; i < 50; i++) await writer.write('text');
    expect(['drain', 'error', 'close'].map((name) => stream.listenerCount(name))).toEqual(before);
  });

  it('ends quietly when the reader has gone', async () => {
    const reader = spawn('sh', ['-c', 'exec 0<&-; echo gone; exec sleep 60'], { stdio: ['pipe', 'pipe', 'ignore'] });
    await once(reader.stdout, 'data');
    const writer = writerTo(reader.stdin);
    await writer.write('begin trace...\n');
    await writer.write('x'.repeat(100_000));
    expect(writer.closed).toBe(true);
    await writer.write('more');
    reader.kill('SIGKILL');
  });

  it('to a stream that was closed before is an end too', async () => {
    const stream = new PassThrough();
    stream.destroy();
    const writer = writerTo(stream);
    await writer.write('x');
    expect(writer.closed).toBe(true);
  });

  it('does not wait for ever when the reader goes while the pipe is full', async () => {
    const reader = spawn('sleep', ['60'], { stdio: ['pipe', 'ignore', 'ignore'] });
    const writer = writerTo(reader.stdin);
    const waiting = writer.write('x'.repeat(1_000_000));
    reader.kill('SIGKILL');
    await waiting;
    expect(writer.closed).toBe(true);
  });

  it('to a full disk says so at the next block', async (ctx) => {
    ctx.skip(!existsSync('/dev/full'), 'there is no /dev/full');
    const stream = createWriteStream('/dev/full');
    const writer = writerTo(stream);
    const failed = new Promise<void>((resolve) => stream.on('close', resolve));
    await writer.write('one');
    await failed;
    await expect(writer.write('two')).rejects.toThrow('cannot write standard output: the disk is full');
  });
});
