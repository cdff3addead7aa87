/** A longer line is skipped: it is no record, and it must not fill the memory. */
export const MAX_LINE_BYTES = 16 * 2 ** 20;

const NEWLINE = 10;

/** One line, without its end; `text` is absent where it was too long. */
export interface Line {
  /** From 1 on. */
  number: number;
  bytes: number;
  text?: string;
}

/** Splits bytes into lines; holds one line at most, and of one that is too long nothing. */
export class LineSplitter {
  readonly #limit: number;
  #number = 1;
  #parts: Buffer[] = [];
  #bytes = 0;

  constructor(limit = MAX_LINE_BYTES) {
    this.#limit = limit;
  }

  /** The lines that end in `chunk`. The chunk must not be written to afterwards. */
  *push(chunk: Uint8Array): Generator<Line, void, undefined> {
    const buffer = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    let at = 0;
    for (;;) {
      const end = buffer.indexOf(NEWLINE, at);
      if (end < 0) break;
      this.#keep(buffer.subarray(at, end));
      yield this.#line();
      at = end + 1;
    }
    if (at < buffer.length) this.#keep(buffer.subarray(at));
  }

  /** What stands behind the last end of line, if anything does. */
  end(): Line | undefined {
    return this.#bytes > 0 ? this.#line() : undefined;
  }

  #keep(part: Buffer): void {
    this.#bytes += part.length;
    if (this.#bytes > this.#limit) this.#parts = [];
    else this.#parts.push(part);
  }

  #line(): Line {
    const line: Line = { number: this.#number++, bytes: this.#bytes };
    if (this.#bytes <= this.#limit) {
      const [first] = this.#parts;
      line.text = (this.#parts.length === 1 && first ? first : Buffer.concat(this.#parts)).toString();
    }
    this.#parts = [];
    this.#bytes = 0;
    return line;
  }
}
