import type { WriteStream } from 'node:tty';
import { NettraceError } from '../errors.js';

/** Where blocks of text go. */
export interface Writer {
  /** True once the reader has gone: nothing more needs to be written. */
  readonly closed: boolean;
  write(text: string): Promise<void> | void;
  close(): void;
}

/** Writes to standard output and waits while it is full. A reader that has gone (`| head`) is an end, not an error. */
export class StreamWriter implements Writer {
  closed = false;
  #failure: NettraceError | undefined;
  readonly #stream: WriteStream;
  readonly #onError = (error: NodeJS.ErrnoException) => {
    this.closed = true;
    if (error.code === 'EPIPE') return;
    const what = error.code === 'ENOSPC' ? 'the disk is full' : error.code;
    this.#failure = new NettraceError(`cannot write to standard output: ${what}`, { cause: error });
  };

  constructor(stream: WriteStream) {
    this.#stream = stream;
    stream.on('error', this.#onError);
  }

  /** Throws NettraceError where an earlier write failed. */
  async write(text: string): Promise<void> {
    if (this.#failure) throw this.#failure;
    if (this.#stream.destroyed) this.closed = true;
    if (this.closed) return;
    if (this.#stream.write(text)) return;
    await new Promise<void>((resolve) => {
      const done = () => {
        this.#stream.off('drain', done).off('error', done).off('close', done);
        resolve();
      };
      this.#stream.on('drain', done).on('error', done).on('close', done);
    });
    if (this.#failure) throw this.#failure;
  }

  close(): void {
    // the handler stays: an error of the last write may come later
  }
}
