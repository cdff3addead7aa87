import { NettraceError } from '../errors.js';

/** Fields of 64-bit little-endian ELF files (elf.h). */
const HEADER = { sectionOffset: 0x28, sectionSize: 0x3a, sectionCount: 0x3c } as const;
const SECTION = { type: 4, offset: 24, size: 32, link: 40 } as const;
const SYMBOL = { bytes: 24, name: 0, section: 6, value: 8, size: 16 } as const;
const SHT_SYMTAB = 2;
const ALIGNMENT = 8;

interface Section {
  /** Of its header. */
  at: number;
  type: number;
  offset: number;
  size: number;
  link: number;
}

class ObjectFile {
  readonly #view: DataView;
  readonly sections: readonly Section[];

  constructor(bytes: Uint8Array) {
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const start = this.number64(HEADER.sectionOffset);
    const size = this.#view.getUint16(HEADER.sectionSize, true);
    const count = this.#view.getUint16(HEADER.sectionCount, true);
    this.sections = Array.from({ length: count }, (_, i) => this.#section(start + i * size));
  }

  number64(at: number): number {
    return Number(this.#view.getBigUint64(at, true));
  }

  setNumber64(at: number, value: number): void {
    this.#view.setBigUint64(at, BigInt(value), true);
  }

  /** The symbol of that name: where its entry is, its section, and its range there. */
  symbol(name: string): { at: number; section: Section; value: number; size: number } | undefined {
    for (const table of this.sections) {
      const names = this.sections[table.link];
      if (table.type !== SHT_SYMTAB || !names) continue;
      for (let at = table.offset; at < table.offset + table.size; at += SYMBOL.bytes) {
        if (!this.#isText(names.offset + this.#view.getUint32(at + SYMBOL.name, true), name)) continue;
        const section = this.sections[this.#view.getUint16(at + SYMBOL.section, true)];
        if (section)
          return { at, section, value: this.number64(at + SYMBOL.value), size: this.number64(at + SYMBOL.size) };
      }
    }
    return undefined;
  }

  #section(at: number): Section {
    return {
      at,
      type: this.#view.getUint32(at + SECTION.type, true),
      offset: this.number64(at + SECTION.offset),
      size: this.number64(at + SECTION.size),
      link: this.#view.getUint32(at + SECTION.link, true),
    };
  }

  #isText(at: number, text: string): boolean {
    const bytes = Buffer.from(`${text}\0`);
    return bytes.every((byte, i) => this.#view.getUint8(at + i) === byte);
  }
}

/**
 * Gives a function of a BPF object file another body, and returns the file that comes out. The function must be the last
 * of its section, because nothing behind it is moved; the body needs no relocation and no wide load, and has at least as
 * many instructions as the former one. All this happens before libbpf sees the file, so that whatever libbpf makes of
 * the function (it puts it behind each program that calls it) has the new body. Throws NettraceError where the file is
 * not made for it.
 */
export function linkFunction(object: Uint8Array, name: string, body: Uint8Array): Uint8Array {
  const former = new ObjectFile(object).symbol(name);
  if (!former || former.value + former.size !== former.section.size || body.length < former.size) {
    throw new NettraceError(`the compiled BPF programs have no place for a filter (${name})`, {
      advice: 'run make build, or install the package again',
    });
  }
  const { section } = former;
  const start = Math.ceil(object.length / ALIGNMENT) * ALIGNMENT;
  const linked = new Uint8Array(start + former.value + body.length);
  linked.set(object);
  linked.set(object.subarray(section.offset, section.offset + former.value), start);
  linked.set(body, start + former.value);
  const file = new ObjectFile(linked);
  file.setNumber64(section.at + SECTION.offset, start);
  file.setNumber64(section.at + SECTION.size, former.value + body.length);
  file.setNumber64(former.at + SYMBOL.size, body.length);
  return linked;
}
