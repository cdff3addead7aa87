import { KernelRecord, MAX_RECORD_BYTES } from '../decode/records.js';

/** Records of one trace lie in pages of its own. A page holds the longest record, and most traces whole. */
const PAGE_BYTES = 1024;
const PAGES_PER_SLAB = 256;
const SLAB_BYTES = PAGE_BYTES * PAGES_PER_SLAB;
const WORD = 8;
const HANDLES_PER_PAGE = PAGE_BYTES / WORD;
const HANDLES_PER_SLAB = SLAB_BYTES / WORD;
if (MAX_RECORD_BYTES > PAGE_BYTES) throw new Error(`a record may have ${MAX_RECORD_BYTES} bytes`);

/** The pages of one trace. */
export interface Pages {
  readonly numbers: number[];
  /** Bytes that are taken of the last one. */
  used: number;
}

export function noPages(): Pages {
  return { numbers: [], used: PAGE_BYTES };
}

/**
 * Bytes of records that wait for their trace to be closed. Outside of the heap: what lives for some ten milliseconds would
 * be copied by each of its collections. A record is named by a handle, where it lies in words of 8 bytes.
 */
export class RecordStore {
  readonly #maxPages: number;
  readonly #slabs: DataView[] = [];
  readonly #free: number[] = [];

  /** `maxBytes`: what is held before it is full; who goes on then is not refused. */
  constructor(maxBytes: number) {
    this.#maxPages = Math.ceil(maxBytes / SLAB_BYTES) * PAGES_PER_SLAB;
  }

  /** Whether the next record may need more memory than there is to be. */
  get isFull(): boolean {
    return this.#free.length === 0 && this.#slabs.length * PAGES_PER_SLAB >= this.#maxPages;
  }

  /** Copies a record behind those that the trace has; its handle. */
  keep(record: KernelRecord, pages: Pages): number {
    const { length } = record;
    if (pages.used + length > PAGE_BYTES) {
      pages.numbers.push(this.#takePage());
      pages.used = 0;
    }
    const page = pages.numbers[pages.numbers.length - 1] ?? 0;
    const handle = page * HANDLES_PER_PAGE + pages.used / WORD;
    pages.used += length;
    const to = this.#slabs[Math.floor(page / PAGES_PER_SLAB)];
    if (!to) throw new Error(`there is no page ${page}`);
    const at = (page % PAGES_PER_SLAB) * PAGE_BYTES + pages.used - length;
    const { view: from, at: begin } = record;
    for (let i = 0; i < length; i += 4) to.setUint32(at + i, from.getUint32(begin + i, true), true);
    return handle;
  }

  /** The record of a handle, until its trace's pages are given back. */
  record(handle: number): KernelRecord {
    return this.look(handle, new KernelRecord(this.#slabOf(handle)));
  }

  /** The same in a record that is there already. */
  look(handle: number, record: KernelRecord): KernelRecord {
    record.view = this.#slabOf(handle);
    return record.seek((handle % HANDLES_PER_SLAB) * WORD);
  }

  giveBack(pages: Pages): void {
    for (const page of pages.numbers) this.#free.push(page);
    pages.numbers.length = 0;
    pages.used = PAGE_BYTES;
  }

  #slabOf(handle: number): DataView {
    const slab = this.#slabs[Math.floor(handle / HANDLES_PER_SLAB)];
    if (!slab) throw new Error(`there is no record ${handle}`);
    return slab;
  }

  #takePage(): number {
    if (this.#free.length === 0) {
      const first = this.#slabs.length * PAGES_PER_SLAB;
      this.#slabs.push(new DataView(new ArrayBuffer(SLAB_BYTES)));
      for (let i = PAGES_PER_SLAB - 1; i >= 0; i--) this.#free.push(first + i);
    }
    return this.#free.pop() ?? 0;
  }
}
