/** BPF registers by number. */
export type Register = 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9;

/** Bytes of a load or store. */
export type Width = 1 | 2 | 4 | 8;

/** A place in the program to jump to; made by `label()`, given its place by `place()`. */
export class Label {
  at: number | undefined;
  used = false;
}

interface Instruction {
  code: number;
  destination: number;
  source: number;
  offset: number;
  immediate: number;
  target?: Label;
}

/** Operations of the classes ALU and ALU64 (linux/bpf.h); the first ones have classic BPF's numbers. */
export const ALU = {
  add: 0x00,
  sub: 0x10,
  mul: 0x20,
  div: 0x30,
  or: 0x40,
  and: 0x50,
  lsh: 0x60,
  rsh: 0x70,
  neg: 0x80,
  mod: 0x90,
  xor: 0xa0,
  mov: 0xb0,
  arsh: 0xc0,
} as const;

/** Conditions of the classes JMP and JMP32; comparisons are unsigned, those with an s signed. */
export const JUMP = {
  eq: 0x10,
  gt: 0x20,
  ge: 0x30,
  set: 0x40,
  ne: 0x50,
  sgt: 0x60,
  sge: 0x70,
  lt: 0xa0,
  le: 0xb0,
  slt: 0xc0,
  sle: 0xd0,
} as const;

const CLASS = { ldx: 0x01, st: 0x02, stx: 0x03, alu: 0x04, jmp: 0x05, jmp32: 0x06, alu64: 0x07 } as const;
const MODE_MEM = 0x60;
const SOURCE_REGISTER = 0x08;
const END_TO_BIG = 0xd0 | SOURCE_REGISTER;
const SIZE: Record<Width, number> = { 1: 0x10, 2: 0x08, 4: 0x00, 8: 0x18 };
const CALL = 0x80;
const EXIT = 0x90;
const INSTRUCTION_BYTES = 8;

/** What a second operand may be: a register, or a number of 32 bits (which 64-bit operations extend with its sign). */
export type Operand = { register: Register } | number;

/** Puts BPF instructions together, and resolves jumps. */
export class BpfAssembler {
  readonly #instructions: Instruction[] = [];

  label(): Label {
    return new Label();
  }

  /** The next instruction is what jumps to `label` lead to. */
  place(label: Label): void {
    label.at = this.#instructions.length;
  }

  alu32(operation: number, destination: Register, operand: Operand): void {
    this.#binary(CLASS.alu | operation, destination, operand);
  }

  alu64(operation: number, destination: Register, operand: Operand): void {
    this.#binary(CLASS.alu64 | operation, destination, operand);
  }

  move(destination: Register, operand: Operand): void {
    this.alu64(ALU.mov, destination, operand);
  }

  /** Any 64-bit number, without the wide load that takes the place of two instructions. */
  constant(destination: Register, value: bigint): void {
    const bits = BigInt.asUintN(64, value);
    const [high, low] = [Number(bits >> 32n), Number(bits & 0xffff_ffffn)];
    if (BigInt.asIntN(32, bits) === BigInt.asIntN(64, bits)) {
      this.move(destination, low | 0);
      return;
    }
    this.alu32(ALU.mov, destination, high | 0);
    for (const half of [low >>> 16, low & 0xffff]) {
      this.alu64(ALU.lsh, destination, 16);
      if (half) this.alu64(ALU.or, destination, half);
    }
  }

  /** From the register's 16 or 32 low bits, big-endian, to a number; the upper bits become zero. */
  fromBigEndian(register: Register, bits: 16 | 32 | 64): void {
    this.#emit({ code: CLASS.alu | END_TO_BIG, destination: register, source: 0, offset: 0, immediate: bits });
  }

  load(width: Width, destination: Register, base: Register, offset: number): void {
    this.#emit({ code: CLASS.ldx | MODE_MEM | SIZE[width], destination, source: base, offset, immediate: 0 });
  }

  store(width: Width, base: Register, offset: number, operand: Operand): void {
    const isNumber = typeof operand === 'number';
    this.#emit({
      code: (isNumber ? CLASS.st : CLASS.stx) | MODE_MEM | SIZE[width],
      destination: base,
      source: isNumber ? 0 : operand.register,
      offset,
      immediate: isNumber ? operand : 0,
    });
  }

  jump(target: Label): void {
    this.#jump(CLASS.jmp, 0, 0, target);
  }

  /** Compares all 64 bits. */
  jumpIf(condition: number, register: Register, operand: Operand, target: Label): void {
    this.#jump(CLASS.jmp | condition, register, operand, target);
  }

  /** Compares the low 32 bits (5.1). */
  jumpIf32(condition: number, register: Register, operand: Operand, target: Label): void {
    this.#jump(CLASS.jmp32 | condition, register, operand, target);
  }

  call(helper: number): void {
    this.#emit({ code: CLASS.jmp | CALL, destination: 0, source: 0, offset: 0, immediate: helper });
  }

  exit(): void {
    this.#emit({ code: CLASS.jmp | EXIT, destination: 0, source: 0, offset: 0, immediate: 0 });
  }

  get length(): number {
    return this.#instructions.length;
  }

  /** The program, 8 bytes an instruction in little-endian order. Throws RangeError where a jump is too far. */
  bytes(): Uint8Array {
    const bytes = new Uint8Array(this.#instructions.length * INSTRUCTION_BYTES);
    const view = new DataView(bytes.buffer);
    for (const [i, { code, destination, source, offset, immediate, target }] of this.#instructions.entries()) {
      const at = i * INSTRUCTION_BYTES;
      const distance = target ? distanceTo(target, i) : offset;
      if (distance < -0x8000 || distance > 0x7fff)
        throw new RangeError(`a jump of ${distance} instructions is too far`);
      view.setUint8(at, code);
      view.setUint8(at + 1, destination | (source << 4));
      view.setInt16(at + 2, distance, true);
      view.setInt32(at + 4, immediate | 0, true);
    }
    return bytes;
  }

  #binary(code: number, destination: Register, operand: Operand): void {
    if (typeof operand === 'number') this.#emit({ code, destination, source: 0, offset: 0, immediate: operand });
    else this.#emit({ code: code | SOURCE_REGISTER, destination, source: operand.register, offset: 0, immediate: 0 });
  }

  #jump(code: number, register: Register, operand: Operand, target: Label): void {
    target.used = true;
    this.#binary(code, register, operand);
    const last = this.#instructions.at(-1);
    if (last) last.target = target;
  }

  #emit(instruction: Instruction): void {
    this.#instructions.push(instruction);
  }
}

function distanceTo(target: Label, from: number): number {
  if (target.at === undefined) throw new Error('a label was jumped to and never placed');
  return target.at - from - 1;
}
