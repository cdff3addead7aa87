import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Transform } from 'node:stream';
import * as zlib from 'node:zlib';
import { NettraceError } from '../errors.js';
import { BadFrame, type FramePiece, ZstdFrames } from './zstd-frames.js';

export type Bytes = AsyncIterable<Uint8Array>;

/** Compressed data end within a block, or are damaged. All that came before was handed on. */
export class BrokenCompression extends Error {
  /** The data end too early; else what is there is wrong. */
  readonly isCut: boolean;

  constructor(isCut: boolean, message: string) {
    super(message);
    this.isCut = isCut;
  }
}

const GZIP_MAGIC = [0x1f, 0x8b];
const ZSTD_MAGIC = [0x28, 0xb5, 0x2f, 0xfd];
/** A little input can become a lot of output: it is fed in small pieces. */
const PIECE_BYTES = 2 ** 16;

function beginsWith(bytes: Uint8Array, magic: readonly number[]): boolean {
  return magic.every((byte, i) => bytes[i] === byte);
}

/** node:zlib has zstd from Node 22.15 on. */
export function hasZstdOfNode(): boolean {
  return 'createZstdDecompress' in zlib;
}

function zstdOfNode(): Transform {
  return (zlib as unknown as { createZstdDecompress: () => Transform }).createZstdDecompress();
}

/** Hands on what `bytes` holds, decompressed where its first bytes say that it is compressed. Throws BrokenCompression. */
export async function* decompress(bytes: Bytes, { follow = false } = {}): AsyncGenerator<Uint8Array, void, undefined> {
  const iterator = bytes[Symbol.asyncIterator]();
  let head: Uint8Array = new Uint8Array();
  let ended = false;
  while (head.length < ZSTD_MAGIC.length && !ended) {
    const { done, value } = await iterator.next();
    if (done) ended = true;
    else head = Buffer.concat([head, value]);
    // a first byte that begins neither: no need to wait for more
    if (head.length > 0 && head[0] !== GZIP_MAGIC[0] && head[0] !== ZSTD_MAGIC[0]) break;
  }
  const whole = (async function* () {
    try {
      if (head.length > 0) yield head;
      for (;;) {
        const next = await iterator.next();
        if (next.done) return;
        yield next.value;
      }
    } finally {
      await iterator.return?.();
    }
  })();
  if (beginsWith(head, GZIP_MAGIC)) yield* through(zlib.createGunzip(), whole);
  else if (!beginsWith(head, ZSTD_MAGIC)) yield* whole;
  else if (hasZstdOfNode()) yield* throughZstdOfNode(whole);
  else if (follow) {
    throw new NettraceError('this Node cannot follow files that zstd compresses', {
      advice: 'Node 22.15 or newer can, and any Node follows .gz',
    });
  } else yield* throughZstd(whole);
}

function* pieces(chunk: Uint8Array): Generator<Uint8Array, void, undefined> {
  for (let at = 0; at < chunk.length; at += PIECE_BYTES) yield chunk.subarray(at, at + PIECE_BYTES);
}

/**
 * A stream that fails throws away what it still holds. So each piece goes in only when all of the former has come out,
 * and the end is told last.
 */
async function* through(stream: Transform, bytes: Bytes): AsyncGenerator<Uint8Array, void, undefined> {
  let failure: NodeJS.ErrnoException | undefined;
  let ended = false;
  let wake = () => {};
  const onFailure = (error: NodeJS.ErrnoException | null | undefined) => {
    failure ??= error ?? undefined;
    wake();
  };
  stream.on('error', onFailure).on('readable', () => wake());
  stream.on('end', () => {
    ended = true;
    wake();
  });
  /** What comes out until `isDone`. */
  async function* output(isDone: () => boolean) {
    for (;;) {
      const chunk = stream.read() as Uint8Array | null;
      if (chunk) yield chunk;
      else if (isDone() || failure || ended) return;
      else {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    }
  }
  try {
    for await (const chunk of bytes) {
      for (const piece of pieces(chunk)) {
        // zeros may stand behind the end of the data, and nothing else
        if (ended && piece.every((byte) => byte === 0)) continue;
        if (ended) throw new BrokenCompression(false, 'more data behind their end');
        let written = false;
        stream.write(piece, (error) => {
          written = true;
          onFailure(error);
        });
        yield* output(() => written);
        if (failure) throw broken(failure);
      }
    }
    if (!ended) stream.end();
    yield* output(() => ended);
    if (failure) throw broken(failure);
  } finally {
    stream.destroy();
  }
}

function broken(error: NodeJS.ErrnoException): BrokenCompression {
  return new BrokenCompression(error.code === 'Z_BUF_ERROR' || /unexpected end/.test(error.message), error.message);
}

async function* framePieces(bytes: Bytes, frames: ZstdFrames): AsyncGenerator<FramePiece, void, undefined> {
  for await (const chunk of bytes) yield* frames.push(chunk);
}

/** The bytes of one frame, of which the first piece has been taken. */
async function* oneFrame(
  first: FramePiece,
  pieces: AsyncIterator<FramePiece, void>,
): AsyncGenerator<Uint8Array, void, undefined> {
  let piece = first;
  for (;;) {
    yield piece.bytes;
    if (piece.isEnd) return;
    const next = await pieces.next();
    if (next.done) return;
    piece = next.value;
  }
}

/** Each frame through a stream of its own. */
async function* throughZstdOfNode(bytes: Bytes): AsyncGenerator<Uint8Array, void, undefined> {
  const frames = new ZstdFrames();
  const frameBytes = framePieces(bytes, frames);
  let message = 'unexpected end of file';
  try {
    for (;;) {
      const next = await frameBytes.next();
      if (next.done) break;
      yield* through(zstdOfNode(), oneFrame(next.value, frameBytes));
    }
    if (!frames.isInside) return;
  } catch (error) {
    if (error instanceof BadFrame) throw new BrokenCompression(false, error.message);
    if (!(error instanceof BrokenCompression)) throw error;
    // an error before the end of the data is none of their end
    if (!frames.isInside || !(await frameBytes.next()).done) throw new BrokenCompression(false, error.message);
    message = error.message;
  } finally {
    await frameBytes.return();
  }
  throw new BrokenCompression(true, message);
}

/** Through the command, where node:zlib has no zstd. */
async function* throughZstd(bytes: Bytes): AsyncGenerator<Uint8Array, void, undefined> {
  // in a group of its own: Ctrl-C at the terminal is for us, who end it
  const child = spawn('zstd', ['-d', '-c', '-q', '--no-progress'], { stdio: ['pipe', 'pipe', 'pipe'], detached: true });
  let failure: NodeJS.ErrnoException | undefined;
  let message = '';
  child.on('error', (error: NodeJS.ErrnoException) => {
    failure = error;
  });
  child.stderr.on('data', (text: Uint8Array) => {
    if (message.length < 1000) message += text;
  });
  child.stdin.on('error', () => {}); // its exit code says why
  const closed = new Promise<number | null>((resolve) => child.on('close', resolve));
  let sourceFailure: unknown;
  const feeding = (async () => {
    try {
      for await (const chunk of bytes) {
        if (child.stdin.destroyed) break;
        if (!child.stdin.write(chunk)) await Promise.race([once(child.stdin, 'drain'), closed]).catch(() => {});
      }
    } catch (error) {
      sourceFailure = error;
    }
    child.stdin.end();
  })();
  try {
    yield* child.stdout as Bytes;
    const code = await closed;
    await feeding;
    if (sourceFailure) throw sourceFailure;
    if (failure?.code === 'ENOENT') {
      throw new NettraceError('this is compressed with zstd, and neither this Node nor this machine has zstd', {
        advice: 'install the package zstd, or Node 22.15 or newer',
      });
    }
    if (code !== 0) throw new BrokenCompression(/premature end|truncated/.test(message), message.trim());
  } finally {
    child.kill('SIGKILL');
  }
}
