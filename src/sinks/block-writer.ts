import type { Writer } from './stream-writer.js';

const BLOCK_LENGTH = 65_536;

/**
 * Collects text, and writes it in blocks: what comes within one turn of the event loop, or one block of it. Who writes
 * while the last block has not been taken waits once there is another one.
 */
export class BlockWriter implements Writer {
  readonly #inner: Writer;
  readonly #blockLength: number;
  #text = '';
  #turn: NodeJS.Immediate | undefined;
  #writing: Promise<void> | undefined;
  #failure: { cause: unknown } | undefined;

  constructor(inner: Writer, blockLength = BLOCK_LENGTH) {
    this.#inner = inner;
    this.#blockLength = blockLength;
  }

  get closed(): boolean {
    return this.#inner.closed;
  }

  /** Throws what the writer behind throws, for this text or for an earlier one. */
  write(text: string): Promise<void> | void {
    this.#throwFailure();
    this.#text += text;
    if (this.#text.length >= this.#blockLength) return this.#writeNow();
    this.#turn ??= setImmediate(() => void this.#flush());
  }

  async close(): Promise<void> {
    try {
      await this.#writeNow();
    } finally {
      await this.#inner.close();
    }
  }

  #writeNow(): Promise<void> | void {
    const writing = this.#flush();
    if (writing) return writing.then(() => this.#throwFailure());
    this.#throwFailure();
  }

  /** Never throws or rejects: a failure is kept for who writes next. */
  #flush(): Promise<void> | undefined {
    clearImmediate(this.#turn);
    this.#turn = undefined;
    if (this.#writing) {
      return this.#writing.then(() => this.#flush());
    }
    const text = this.#text;
    this.#text = '';
    if (text === '') return undefined;
    try {
      const writing = this.#inner.write(text);
      if (!writing) return undefined;
      this.#writing = writing.then(
        () => this.#written(),
        (cause: unknown) => this.#written({ cause }),
      );
    } catch (cause) {
      this.#failure = { cause };
    }
    return this.#writing;
  }

  #written(failure?: { cause: unknown }): void {
    this.#writing = undefined;
    this.#failure ??= failure;
  }

  /** Each failure once. */
  #throwFailure(): void {
    const failure = this.#failure;
    this.#failure = undefined;
    if (failure) throw failure.cause;
  }
}
