import type { ClassicInstruction } from '#bpf-loader';

/** A number of which only the bits in `known` are known. */
interface Bits {
  value: number;
  known: number;
  /** Values that it does not have, although its bits allow them. */
  not?: readonly number[] | undefined;
  /** One of these bits is set, it is not known which. */
  someOf?: number | undefined;
  /** What the first bit that is not known belongs to. */
  missing?: string | undefined;
}

/** A packet of which not all is known. */
export interface PartialPacket {
  bytes: Uint8Array;
  /** Bits of each byte that are known. */
  known: Uint8Array;
  /** What a byte belongs to: for messages. */
  nameOf(at: number): string;
  /** Values that a byte does not have. */
  not?: ReadonlyMap<number, readonly number[]>;
  /** Of two bytes one of the bits in `mask` is set, it is not known which. */
  someOf?: { at: number; mask: number } | undefined;
  /** Where an IPv4 header begins that has this many bytes or more: what follows it begins behind the first so many. */
  ipv4?: { at: number; bytes: number } | undefined;
  /** Of the whole packet; undefined: not known. */
  length: number | undefined;
  /** There is nothing behind `bytes`; else there may be. */
  isWhole: boolean;
}

/** What the program returns depends on something that is not known: `what` names it. */
export class NotKnown extends Error {
  readonly what: string;

  constructor(what: string) {
    super(what);
    this.what = what;
  }
}

const ALL = 0xffff_ffff;
const NO_MATCH = 0;
const LOAD_SIZES = [4, 2, 1] as const;
/** Both ways of a condition are tried where it is not known; nobody writes an expression that needs more. */
const MAX_STEPS = 100_000;

function exactly(value: number): Bits {
  return { value: value >>> 0, known: ALL };
}

const isKnown = (bits: Bits) => bits.known === ALL;
const least = (bits: Bits) => (bits.value & bits.known) >>> 0;
const most = (bits: Bits) => (bits.value | ~bits.known) >>> 0;

function partly(value: number, known: number, a: Bits, b: Bits): Bits {
  return { value: (value & known) >>> 0, known: known >>> 0, missing: a.missing ?? b.missing };
}

/** Undefined for a division by zero. */
function arithmetic(operation: number, a: number, b: number): number | undefined {
  switch (operation) {
    case 0x00:
      return a + b;
    case 0x10:
      return a - b;
    case 0x20:
      return Math.imul(a, b);
    case 0x30:
      return b === 0 ? undefined : Math.floor(a / b);
    case 0x40:
      return a | b;
    case 0x50:
      return a & b;
    case 0x60:
      return b > 31 ? 0 : a << b;
    case 0x70:
      return b > 31 ? 0 : a >>> b;
    case 0x80:
      return -a;
    case 0x90:
      return b === 0 ? undefined : a % b;
    default:
      return a ^ b;
  }
}

/** As far as it is known; undefined for a division by zero. */
function compute(operation: number, a: Bits, b: Bits): Bits | undefined {
  if (isKnown(a) && isKnown(b)) {
    const result = arithmetic(operation, a.value, b.value);
    return result === undefined ? undefined : exactly(result);
  }
  const both = a.known & b.known;
  switch (operation) {
    case 0x40:
      return partly(a.value | b.value, both | (a.known & a.value) | (b.known & b.value), a, b);
    case 0x50:
      return partly(a.value & b.value, both | (a.known & ~a.value) | (b.known & ~b.value), a, b);
    case 0x60:
    case 0x70: {
      if (!isKnown(b)) break;
      if (b.value > 31) return exactly(0);
      const isLeft = operation === 0x60;
      const known = isLeft ? (a.known << b.value) | ~(ALL << b.value) : (a.known >>> b.value) | ~(ALL >>> b.value);
      return partly(isLeft ? a.value << b.value : a.value >>> b.value, known, a, b);
    }
    case 0xa0:
      return partly(a.value ^ b.value, both, a, b);
  }
  return partly(0, 0, a, b);
}

/** Undefined where it cannot be said. */
function holds(condition: number, a: Bits, b: Bits): boolean | undefined {
  switch (condition) {
    case 0x10:
      if (((a.value ^ b.value) & a.known & b.known) !== 0) return false;
      if (isKnown(a) && isKnown(b)) return true;
      return isKnown(b) && a.not?.includes(b.value) ? false : undefined;
    case 0x20:
      if (least(a) > most(b)) return true;
      return most(a) <= least(b) ? false : undefined;
    case 0x30:
      if (least(a) >= most(b)) return true;
      return most(a) < least(b) ? false : undefined;
    default:
      if ((least(a) & least(b)) !== 0) return true;
      if (a.someOf !== undefined && (least(b) & a.someOf) === a.someOf) return true;
      return (most(a) & most(b)) === 0 ? false : undefined;
  }
}

/** Where a way through the program stands. */
interface State {
  at: number;
  a: Bits;
  x: Bits;
  memory: readonly Bits[];
}

class Interpreter {
  readonly #program: readonly ClassicInstruction[];
  readonly #packet: PartialPacket;
  #steps = 0;

  constructor(program: readonly ClassicInstruction[], packet: PartialPacket) {
    this.#program = program;
    this.#packet = packet;
  }

  /** From here to the end. */
  run(from: State): number {
    let { at, a, x, memory } = from;
    for (; ; at++) {
      const instruction = this.#program[at];
      if (!instruction) throw new RangeError(`classic BPF goes on at instruction ${at} of ${this.#program.length}`);
      if (++this.#steps > MAX_STEPS) throw new NotKnown(a.missing ?? x.missing ?? 'the rest of the packet');
      const { code, jt, jf, k } = instruction;
      const operand = code & 8 ? x : exactly(k);
      switch (code & 7) {
        case 0:
        case 1: {
          const value = this.#load(instruction, x, memory);
          if (value === undefined) return NO_MATCH;
          const to: State = code & 1 ? { at: at + 1, a, x: value, memory } : { at: at + 1, a: value, x, memory };
          if (this.#mayBeMissing(instruction, x))
            return this.#same(
              () => this.run(to),
              () => NO_MATCH,
              value,
            );
          ({ a, x } = to);
          break;
        }
        case 2:
        case 3:
          memory = memory.with(k, code & 1 ? x : a);
          break;
        case 4: {
          const result = compute(code & 0xf0, a, operand);
          if (result === undefined) return NO_MATCH;
          const divides = (code & 0xf0) === 0x30 || (code & 0xf0) === 0x90;
          const rest: State = { at: at + 1, a: result, x, memory };
          if (divides && least(operand) === 0 && !isKnown(operand))
            return this.#same(
              () => this.run(rest),
              () => NO_MATCH,
              operand,
            );
          a = result;
          break;
        }
        case 5: {
          if ((code & 0xf0) === 0) {
            // loops jump backwards by a number that wraps
            at += k | 0;
            break;
          }
          const isTrue = holds(code & 0xf0, a, operand);
          if (isTrue === undefined) {
            const yes: State = { at: at + 1 + jt, a, x, memory };
            const no: State = { at: at + 1 + jf, a, x, memory };
            return this.#same(
              () => this.run(yes),
              () => this.run(no),
              isKnown(a) ? operand : a,
            );
          }
          at += isTrue ? jt : jf;
          break;
        }
        case 6:
          if ((code & 0x18) !== 0x10) return k;
          if (least(a) > 0 || most(a) === 0) return most(a);
          throw new NotKnown(a.missing ?? 'a value');
        default:
          if (code & 0x80) a = x;
          else x = a;
      }
    }
  }

  /** Two ways that are possible must end alike. Where they do not, what parted them first is to be named. */
  #same(one: () => number, other: () => number, because: Bits): number {
    try {
      const result = one();
      if (result > 0 === other() > 0) return result;
    } catch (error) {
      if (!(error instanceof NotKnown)) throw error;
    }
    throw new NotKnown(because.missing ?? 'a value');
  }

  /** Undefined where it is behind the end. */
  #load({ code, k }: ClassicInstruction, x: Bits, memory: readonly Bits[]): Bits | undefined {
    const size = LOAD_SIZES[(code & 0x18) >> 3] ?? 1;
    const { length, ipv4 } = this.#packet;
    switch (code & 0xe0) {
      case 0x00:
        return exactly(k);
      case 0x20:
        return this.#fixed(k, size);
      case 0x40:
        return isKnown(x) ? this.#read(x.value + k, size) : { value: 0, known: 0, missing: x.missing };
      case 0x60:
        return memory[k] ?? exactly(0);
      case 0x80:
        return length === undefined ? { value: 0, known: 0, missing: 'its length' } : exactly(length);
      default: {
        if (ipv4?.at === k) return exactly(ipv4.bytes);
        const header = this.#fixed(k, 1);
        const nibble = header && compute(0x50, header, exactly(0xf));
        return nibble && compute(0x60, nibble, exactly(2));
      }
    }
  }

  /** Behind a header whose length is not known no place is fixed. */
  #fixed(at: number, size: number): Bits | undefined {
    const { ipv4 } = this.#packet;
    if (ipv4 && at + size > ipv4.at + ipv4.bytes) return { value: 0, known: 0, missing: 'options of the IP header' };
    return this.#read(at, size);
  }

  #read(at: number, size: number): Bits | undefined {
    const { bytes, known, nameOf, not, someOf, isWhole } = this.#packet;
    if (isWhole && at + size > bytes.length) return undefined;
    const result: Bits = { value: 0, known: size === 4 ? 0 : (ALL << (8 * size)) >>> 0 };
    for (let i = at; i < at + size; i++) {
      const shift = 8 * (at + size - 1 - i);
      const mask = known[i] ?? 0;
      if (mask !== 0xff) result.missing ??= nameOf(i);
      result.known = (result.known | (mask << shift)) >>> 0;
      result.value = (result.value | (((bytes[i] ?? 0) & mask) << shift)) >>> 0;
    }
    if (size === 1) result.not = not?.get(at);
    if (size === 2 && someOf?.at === at) result.someOf = someOf.mask;
    return result;
  }

  /** Is this a place in the packet that it may end before? */
  #mayBeMissing({ code, k }: ClassicInstruction, x: Bits): boolean {
    const mode = code & 0xe0;
    if (this.#packet.isWhole || (mode !== 0x20 && mode !== 0x40)) return false;
    const size = LOAD_SIZES[(code & 0x18) >> 3] ?? 1;
    if (mode === 0x40 && !isKnown(x)) return true;
    return (mode === 0x40 ? x.value : 0) + k + size > this.#packet.bytes.length;
  }
}

/**
 * Runs classic BPF as libpcap's own filter does; 0 is no match. Throws NotKnown where the packet's unknown parts decide
 * whether it matches: where they do not, it does not matter that the program looks at them.
 */
export function runClassic(program: readonly ClassicInstruction[], packet: PartialPacket): number {
  const zero = exactly(0);
  return new Interpreter(program, packet).run({ at: 0, a: zero, x: zero, memory: new Array<Bits>(16).fill(zero) });
}

/** A packet of which everything is known, or its first bytes where it had more. */
export function knownPacket(bytes: Uint8Array, length = bytes.length): PartialPacket {
  return { bytes, known: new Uint8Array(bytes.length).fill(0xff), nameOf: () => '', length, isWhole: true };
}
