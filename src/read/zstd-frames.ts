/** RFC 8878, section 3.1.1: a frame's number, and those of frames to be skipped, of which the last digit is free. */
const FRAME = 0xfd2fb528;
const SKIPPABLE = 0x184d2a50;
const DICTIONARY_ID_BYTES = [0, 1, 2, 4];
const BLOCK_RLE = 1;

type State = 'magic' | 'descriptor' | 'header' | 'skippable' | 'block' | 'content';

/** A piece of a frame, and whether the frame ends with it. */
export interface FramePiece {
  bytes: Uint8Array;
  isEnd: boolean;
}

/** The frame's header is bad: it is no zstd. */
export class BadFrame extends Error {}

/**
 * Finds where frames of zstd end. node:zlib decompresses one frame and drops those behind it, so each
 * is given to a stream of its own.
 */
export class ZstdFrames {
  /** What to read next, and how many bytes of it are missing. */
  #state: State = 'magic';
  #missing = 4;
  /** Bytes of the field that is being read: at most 4. */
  #field: number[] = [];
  #hasChecksum = false;
  #isLastBlock = false;

  /** Is a frame begun and not ended? */
  get isInside(): boolean {
    return this.#state !== 'magic' || this.#field.length > 0;
  }

  /** Cuts the next bytes at the ends of frames. Throws BadFrame. */
  *push(bytes: Uint8Array): Generator<FramePiece, void, undefined> {
    let start = 0;
    let at = 0;
    while (at < bytes.length) {
      if (this.#state === 'content' || this.#state === 'header') {
        const step = Math.min(this.#missing, bytes.length - at);
        at += step;
        this.#missing -= step;
      } else {
        this.#field.push(bytes[at] ?? 0);
        at++;
        this.#missing--;
      }
      if (this.#missing > 0 || !this.#next()) continue;
      yield { bytes: bytes.subarray(start, at), isEnd: true };
      start = at;
    }
    if (start < bytes.length) yield { bytes: bytes.subarray(start), isEnd: false };
  }

  #expect(state: State, missing: number): false {
    this.#state = state;
    this.#missing = missing;
    return false;
  }

  /** The field is whole: what comes next? True where the frame is at its end. */
  #next(): boolean {
    const value = this.#field.reduce((sum, byte, i) => sum + byte * 2 ** (8 * i), 0);
    this.#field = [];
    switch (this.#state) {
      case 'magic':
        if (value === FRAME) return this.#expect('descriptor', 1);
        if (value - (value % 16) === SKIPPABLE) return this.#expect('skippable', 4);
        throw new BadFrame('no frame of zstd');
      case 'descriptor': {
        const isSingle = (value & 0x20) !== 0;
        this.#hasChecksum = (value & 0x04) !== 0;
        const contentSize = value >> 6 === 0 ? Number(isSingle) : 2 ** (value >> 6);
        const length = Number(!isSingle) + (DICTIONARY_ID_BYTES[value & 3] ?? 0) + contentSize;
        return this.#expect('header', length);
      }
      case 'header':
        return this.#expect('block', 3);
      case 'skippable':
        this.#isLastBlock = true;
        return value > 0 ? this.#expect('content', value) : this.#end();
      case 'block': {
        this.#isLastBlock = (value & 1) !== 0;
        const size = ((value >> 1) & 3) === BLOCK_RLE ? 1 : value >> 3;
        const length = size + (this.#isLastBlock && this.#hasChecksum ? 4 : 0);
        if (length > 0) return this.#expect('content', length);
        return this.#isLastBlock ? this.#end() : this.#expect('block', 3);
      }
      case 'content':
        return this.#isLastBlock ? this.#end() : this.#expect('block', 3);
    }
  }

  #end(): true {
    this.#expect('magic', 4);
    this.#hasChecksum = false;
    return true;
  }
}
