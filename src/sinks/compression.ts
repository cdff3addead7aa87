import { spawn, spawnSync } from 'node:child_process';
import { promisify } from 'node:util';
import * as zlib from 'node:zlib';
import { NettraceError, UsageError } from '../errors.js';
import type { Writer } from './stream-writer.js';

/** One block of text to one gzip member or zstd frame, which can be read without those before it. */
export type Compress = (block: Uint8Array) => Promise<Uint8Array>;

/** Text that makes one block: larger ones compress better, but more is lost when the process is killed. */
export const BLOCK_BYTES = 2 ** 20;
/** A block is written after this time at the latest. */
const BLOCK_MS = 1000;

/** zstd came to node:zlib with 22.15; the types of older ones do not know it. */
interface ZstdOfNode {
  zstdCompress?: (block: Uint8Array, done: (error: Error | null, bytes: Uint8Array) => void) => void;
}

function runZstd(block: Uint8Array): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    // in a group of its own: Ctrl-C at the terminal ends the trace, not the last block of it
    const child = spawn('zstd', ['-q', '-c'], { stdio: ['pipe', 'pipe', 'pipe'], detached: true });
    const output: Uint8Array[] = [];
    let message = '';
    const fail = (why: string) => reject(new NettraceError(`cannot compress with zstd: ${why}`));
    child.stdout.on('data', (bytes: Uint8Array) => output.push(bytes));
    child.stderr.on('data', (bytes: Uint8Array) => {
      message += bytes;
    });
    child.stdin.on('error', () => {}); // its exit code says why
    child.on('error', (error) => fail(error.message));
    child.on('close', (code, signal) => {
      if (code === 0) resolve(Buffer.concat(output));
      else fail(message.trim() || `it ended with ${signal ?? code}`);
    });
    child.stdin.end(block);
  });
}

function hasZstdCommand(): boolean {
  return spawnSync('zstd', ['-V'], { stdio: 'ignore' }).status === 0;
}

/** By the end of the file's name; undefined where it is to be plain. Throws UsageError where zstd is not to be had. */
export function compressionFor(path: string): Compress | undefined {
  if (path.endsWith('.gz')) return promisify<Uint8Array, Uint8Array>(zlib.gzip);
  if (!path.endsWith('.zst')) return undefined;
  const { zstdCompress } = zlib as ZstdOfNode;
  if (zstdCompress) return promisify<Uint8Array, Uint8Array>(zstdCompress);
  if (hasZstdCommand()) return runZstd;
  throw new UsageError(`cannot write '${path}': neither this Node nor this machine has zstd`, {
    advice: 'install the package zstd, or Node 22.15 or newer, or choose a name that ends in .gz',
  });
}

/** What takes compressed blocks: each is whole, and is kept whole. */
export interface BlockSink {
  write(block: Uint8Array): void;
  close(): void;
}

/**
 * Collects text and writes it as compressed blocks, each with whole records: what is in the file can be read whenever
 * the process ends. At most two blocks are held; who writes faster than they are compressed waits.
 */
export class CompressingWriter implements Writer {
  readonly closed = false;
  readonly #sink: BlockSink;
  readonly #compress: Compress;
  readonly #blockBytes: number;
  #texts: string[] = [];
  #size = 0;
  #timer: NodeJS.Timeout | undefined;
  #done: Promise<void> = Promise.resolve();
  #failure: Error | undefined;

  constructor(sink: BlockSink, compress: Compress, blockBytes = BLOCK_BYTES) {
    this.#sink = sink;
    this.#compress = compress;
    this.#blockBytes = blockBytes;
  }

  /** Throws NettraceError where this block or an earlier one could not be written. */
  async write(text: string): Promise<void> {
    if (this.#failure) throw this.#failure;
    this.#texts.push(text);
    this.#size += text.length;
    if (this.#size < this.#blockBytes) {
      this.#timer ??= setTimeout(() => void this.#flush(), BLOCK_MS);
      return;
    }
    await this.#flush();
    if (this.#failure) throw this.#failure;
  }

  /** Writes the last block. Throws NettraceError where one could not be written that write() has not told of. */
  async close(): Promise<void> {
    const told = this.#failure;
    await this.#flush();
    this.#sink.close();
    if (this.#failure && this.#failure !== told) throw this.#failure;
  }

  /** Never rejects: the failure is kept for the next write. */
  #flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const text = this.#texts.join('');
    this.#texts = [];
    this.#size = 0;
    this.#done = this.#done.then(async () => {
      if (text === '' || this.#failure) return;
      try {
        this.#sink.write(await this.#compress(Buffer.from(text)));
      } catch (error) {
        this.#failure = error as Error;
      }
    });
    return this.#done;
  }
}
