import { accessSync, closeSync, constants, fstatSync, openSync, read, type Stats, statSync } from 'node:fs';
import { Socket } from 'node:net';
import type { Readable } from 'node:stream';
import { promisify } from 'node:util';
import { NettraceError } from '../errors.js';
import { whyNot } from '../file-errors.js';
import type { Bytes } from './decompress.js';

const CHUNK_BYTES = 2 ** 18;
const readSome = promisify(read);

/** Bytes with the name that messages give them. */
export interface Source {
  name: string;
  bytes: Bytes;
}

function refusal(path: string, cause: unknown): NettraceError {
  return new NettraceError(`cannot read '${path}': ${whyNot(cause)}`, { cause });
}

/** Throws NettraceError where it cannot be read. A pipe is not opened: its writer would notice. */
export function checkReadable(path: string): void {
  try {
    accessSync(path, constants.R_OK);
    if (!statSync(path).isDirectory()) return;
  } catch (cause) {
    throw refusal(path, cause);
  }
  throw refusal(path, { code: 'EISDIR' });
}

export interface OpenFile {
  fd: number;
  stat: Stats;
}

/** Opens a file, a pipe or a device to read. Throws NettraceError. */
export function openToRead(path: string): OpenFile {
  let fd: number | undefined;
  try {
    // a pipe without a writer must not make Ctrl-C wait for one
    fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const stat = fstatSync(fd);
    if (!stat.isDirectory()) return { fd, stat };
    throw Object.assign(new Error(), { code: 'EISDIR' });
  } catch (cause) {
    if (fd !== undefined) closeSync(fd);
    throw refusal(path, cause);
  }
}

/** From the descriptor's position to where the file ends now. Throws NettraceError. */
export async function* readToEnd(
  fd: number,
  path: string,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array, void, undefined> {
  while (!signal?.aborted) {
    // a new one each time: lines hold parts of it
    const buffer = Buffer.allocUnsafe(CHUNK_BYTES);
    let bytesRead: number;
    try {
      ({ bytesRead } = await readSome(fd, buffer, 0, CHUNK_BYTES, null));
    } catch (cause) {
      throw refusal(path, cause);
    }
    if (bytesRead === 0) return;
    yield buffer.subarray(0, bytesRead);
  }
}

/** The whole file; it is opened when the first bytes are asked for. Throws NettraceError. */
export async function* fileBytes(
  path: string,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array, void, undefined> {
  const { fd, stat } = openToRead(path);
  if (stat.isFIFO() || stat.isSocket()) {
    // waited for by the event loop, not by a thread that cannot be told to stop
    yield* streamBytes(new Socket({ fd, readable: true, writable: false }), signal);
    return;
  }
  try {
    yield* readToEnd(fd, path, signal);
  } finally {
    closeSync(fd);
  }
}

/** A stream up to its end, or until the signal comes. */
export async function* streamBytes(
  stream: Readable,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array, void, undefined> {
  if (signal?.aborted) return;
  const stop = () => stream.destroy();
  signal?.addEventListener('abort', stop, { once: true });
  try {
    for await (const chunk of stream as AsyncIterable<Uint8Array | string>) {
      yield typeof chunk === 'string' ? Buffer.from(chunk) : chunk;
    }
  } catch (error) {
    // destroyed before its end is an error to the iteration
    if (!signal?.aborted) throw error;
  } finally {
    signal?.removeEventListener('abort', stop);
  }
}
