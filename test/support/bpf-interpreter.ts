import { FilterScratch } from '../../src/generated/layout.js';

/** Where the scratch seems to lie: far from all numbers that programs compute. */
const BASE = 0x7f00_0000_0000n;
const u64 = (value: bigint) => BigInt.asUintN(64, value);

/** A read or write outside of the scratch, an instruction that does not exist, or a program that does not end. */
export class Trap extends Error {}

/** Runs the generated function on struct filter_scratch, as far as programs without helpers go. Gives what it returns. */
export function runGenerated(body: Uint8Array, scratch: Uint8Array, program: number): bigint {
  const code = new DataView(body.buffer, body.byteOffset, body.byteLength);
  const memory = new DataView(scratch.buffer, scratch.byteOffset, FilterScratch.size);
  const registers = new Array<bigint>(11).fill(0n);
  registers[1] = BASE;
  registers[3] = BigInt(program);
  const place = (register: number, offset: number, size: number) => {
    const at = Number(registers[register]! - BASE) + offset;
    if (at < 0 || at + size > FilterScratch.size) throw new Trap(`access at ${at}`);
    return at;
  };
  const sizes = [4, 2, 1, 8];
  const load = (at: number, size: number) => {
    if (size === 8) return memory.getBigUint64(at, true);
    return BigInt(
      size === 4 ? memory.getUint32(at, true) : size === 2 ? memory.getUint16(at, true) : memory.getUint8(at),
    );
  };
  for (let at = 0, steps = 0; steps < 100_000; at++, steps++) {
    const opcode = code.getUint8(at * 8);
    const to = code.getUint8(at * 8 + 1) & 0xf;
    const from = code.getUint8(at * 8 + 1) >> 4;
    const offset = code.getInt16(at * 8 + 2, true);
    const immediate = BigInt(code.getInt32(at * 8 + 4, true));
    const operand = opcode & 8 ? registers[from]! : immediate;
    const size = sizes[(opcode & 0x18) >> 3]!;
    switch (opcode & 7) {
      case 1:
        registers[to] = load(place(from, offset, size), size);
        break;
      case 2:
      case 3: {
        const value = (opcode & 7) === 2 ? immediate : registers[from]!;
        if (size !== 4) throw new Trap(`store of ${size} bytes`);
        memory.setUint32(place(to, offset, 4), Number(BigInt.asUintN(32, value)), true);
        break;
      }
      case 4:
        if (opcode === 0xdc) registers[to] = swap(registers[to]!, Number(immediate));
        else registers[to] = compute(opcode & 0xf0, registers[to]!, operand, 32);
        break;
      case 7:
        registers[to] = compute(opcode & 0xf0, registers[to]!, operand, 64);
        break;
      case 5:
        if (opcode === 0x95) return registers[0]!;
        if (opcode === 0x05 || holds(opcode & 0xf0, registers[to]!, u64(operand))) at += offset;
        break;
      case 6:
        if (holds(opcode & 0xf0, BigInt.asUintN(32, registers[to]!), BigInt.asUintN(32, operand))) at += offset;
        break;
      default:
        throw new Trap(`instruction ${opcode}`);
    }
  }
  throw new Trap('no end');
}

function swap(value: bigint, bits: number): bigint {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(value);
  return BigInt(`0x${bytes.subarray(0, bits / 8).toString('hex')}`);
}

function compute(operation: number, left: bigint, right: bigint, bits: 32 | 64): bigint {
  const [a, b] = [BigInt.asUintN(bits, left), BigInt.asUintN(bits, right)];
  const shift = b & BigInt(bits - 1);
  switch (operation) {
    case 0x00:
      return BigInt.asUintN(bits, a + b);
    case 0x10:
      return BigInt.asUintN(bits, a - b);
    case 0x20:
      return BigInt.asUintN(bits, a * b);
    case 0x30:
      return b === 0n ? 0n : a / b;
    case 0x40:
      return a | b;
    case 0x50:
      return a & b;
    case 0x60:
      return BigInt.asUintN(bits, a << shift);
    case 0x70:
      return a >> shift;
    case 0x80:
      return BigInt.asUintN(bits, -a);
    case 0x90:
      return b === 0n ? a : a % b;
    case 0xa0:
      return a ^ b;
    case 0xb0:
      return b;
    default:
      throw new Trap(`operation ${operation}`);
  }
}

function holds(condition: number, a: bigint, b: bigint): boolean {
  switch (condition) {
    case 0x10:
      return a === b;
    case 0x20:
      return a > b;
    case 0x30:
      return a >= b;
    case 0x40:
      return (a & b) !== 0n;
    case 0x50:
      return a !== b;
    case 0xa0:
      return a < b;
    case 0xb0:
      return a <= b;
    default:
      throw new Trap(`condition ${condition}`);
  }
}
