import type { WriteStream } from 'node:tty';
import { NettraceError } from '../errors.js';
import { whyNot } from '../file-errors.js';

/** Where blocks of text go. */
export interface Writer {
  /** True once the reader has gone: nothing more needs to be written. */
  readonly closed: boolean;
  write(text: string): Promise<void> | void;
  /** Writes what is still waiting. */
  close(): Promise<void> | void;
}

/** Writes to standard output and waits while it is full. A reader that has gone (`| head`) is an end, not an error. */
export class StreamWriter implements Writer {
  closed = false;
  #failure: NettraceError | undefined;
  readonly #stream: WriteStream;
  readonly #onGone: () => void;
  readonly #onError = (error: NodeJS.ErrnoException) => {
    this.closed = true;
    if (error.code !== 'EPIPE') {
      this.#failure = new NettraceError(`cannot write standard output: ${whyNot(error)}`, { cause: error });
    }
    this.#onGone();
  };

  /** `onGone`: called when nothing more can be written. */
  constructor(stream: WriteStream, onGone: () => void = () => {}) {
    this.#stream = stream;
    this.#onGone = onGone;
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
    // it may close without an error
    if (this.#stream.destroyed) this.closed = true;
  }

  /** Throws NettraceError where a write failed. The handler stays: an error of the last write may come later. */
  close(): void {
    if (this.#failure) throw this.#failure;
  }
}
