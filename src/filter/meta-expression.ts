import { UsageError } from '../errors.js';
import { FilterScratch } from '../generated/layout.js';
import { ALU, type BpfAssembler, JUMP, type Label, type Register, type Width } from './bpf-assembler.js';
import { expressionError, type Span } from './expression-error.js';
import { SCRATCH, SKB, type WriteProgram } from './generated-function.js';
import { FieldError, type FieldTypes, type NumberField, type ResolvedField, resolveField } from './meta-field.js';
import { type Comparison, type MetaExpression, type NumberValue, parseMeta, type Test } from './meta-parser.js';
import { META_FILTER } from './meta-tokens.js';

/** enum bpf_func_id */
const HELPER = { probeReadKernel: 113, probeReadKernelStr: 115 } as const;
const VALUE: Register = 7;
const OPERAND: Register = 8;
const RESULT: Register = 0;
const [TO, BYTES, FROM] = [1, 2, 3] as const;
const TEXT_BYTES = FilterScratch.size - FilterScratch.text;

const UNSIGNED: Readonly<Record<Comparison, number>> = {
  '==': JUMP.eq,
  '!=': JUMP.ne,
  '<': JUMP.lt,
  '<=': JUMP.le,
  '>': JUMP.gt,
  '>=': JUMP.ge,
};
const SIGNED: Readonly<Record<Comparison, number>> = {
  ...UNSIGNED,
  '<': JUMP.slt,
  '<=': JUMP.sle,
  '>': JUMP.sgt,
  '>=': JUMP.sge,
};

/** A test whose field was found, or tests that are joined. */
type Checked =
  | { kind: 'and' | 'or'; left: Checked; right: Checked }
  | { kind: 'not'; operand: Checked }
  | {
      kind: 'number';
      field: ResolvedField;
      type: NumberField;
      mask: bigint | undefined;
      operator: Comparison;
      value: bigint;
    }
  | { kind: 'text'; field: ResolvedField; operator: '==' | '!='; text: Uint8Array };

/** Finds the fields, and checks that values fit. */
class Checker {
  readonly #expression: string;
  readonly #btf: FieldTypes;

  constructor(expression: string, btf: FieldTypes) {
    this.#expression = expression;
    this.#btf = btf;
  }

  check(node: MetaExpression): Checked {
    if (node.kind === 'not') return { kind: 'not', operand: this.check(node.operand) };
    if (node.kind !== 'test') return { kind: node.kind, left: this.check(node.left), right: this.check(node.right) };
    const field = this.#find(node);
    return field.type.kind === 'text'
      ? this.#text(node, field, field.type.bytes)
      : this.#number(node, field, field.type);
  }

  #fail(message: string, span: Span): never {
    throw expressionError(META_FILTER, message, this.#expression, span);
  }

  #find(test: Test): ResolvedField {
    try {
      return resolveField(this.#btf, test.path, test.value?.kind === 'string');
    } catch (error) {
      if (error instanceof FieldError) this.#fail(error.message, error.at);
      throw error;
    }
  }

  #text({ operator, value, mask, path, start }: Test, field: ResolvedField, bytes: number | undefined): Checked {
    if (mask) this.#fail('a string has no bits to mask', mask);
    if (value?.kind !== 'string') {
      const span = value ?? { start, end: path.at(-1)?.end ?? start };
      this.#fail(`'${path.at(-1)?.name}' is a string (${field.typeText}): compare it with == "..."`, span);
    }
    if (operator !== '==' && operator !== '!=') this.#fail('strings are compared by == and != only', value);
    const text = Buffer.from(value.text);
    const most = Math.min(bytes ?? TEXT_BYTES, TEXT_BYTES - 1) - 1;
    if (text.length > most) this.#fail(`a string of '${path.at(-1)?.name}' has at most ${most} bytes`, value);
    return { kind: 'text', field, operator, text };
  }

  #number({ operator, value, mask, path }: Test, field: ResolvedField, type: NumberField): Checked {
    const name = path.at(-1)?.name;
    if (value?.kind === 'string')
      this.#fail(`'${name}' is a ${field.typeText}, which cannot be compared with a string`, value);
    const unsigned = { ...type, signed: false };
    if (mask) this.#checkRange(name, mask, unsigned, field.typeText);
    if (value) this.#checkRange(name, value, mask ? unsigned : type, field.typeText);
    return { kind: 'number', field, type, mask: mask?.value, operator: operator ?? '!=', value: value?.value ?? 0n };
  }

  #checkRange(name: string | undefined, number: NumberValue, { bitSize, signed }: NumberField, typeText: string): void {
    const bits = BigInt(bitSize);
    const low = signed ? -(1n << (bits - 1n)) : 0n;
    const high = (1n << (signed ? bits - 1n : bits)) - 1n;
    if (number.value >= low && number.value <= high) return;
    this.#fail(`'${name}' (${typeText}, ${bitSize} bits) has values from ${low} to ${high}`, number);
  }
}

/** Writes the instructions; each test jumps to one of two labels. */
class Writer {
  readonly #out: BpfAssembler;

  constructor(out: BpfAssembler) {
    this.#out = out;
  }

  write(node: Checked, yes: Label, no: Label): void {
    const out = this.#out;
    switch (node.kind) {
      case 'not':
        this.write(node.operand, no, yes);
        break;
      case 'and':
      case 'or': {
        const next = out.label();
        if (node.kind === 'and') this.write(node.left, next, no);
        else this.write(node.left, yes, next);
        out.place(next);
        this.write(node.right, yes, no);
        break;
      }
      case 'text':
        this.#text(node, yes, no);
        break;
      default:
        this.#number(node, yes, no);
    }
  }

  /** Puts the field's address into the helpers' third argument; what cannot be read makes the test false. */
  #address(offsets: readonly number[], no: Label): void {
    const out = this.#out;
    out.move(FROM, { register: SKB });
    for (const [i, offset] of offsets.entries()) {
      if (i > 0) {
        this.#read(HELPER.probeReadKernel, FilterScratch.value, 8);
        out.jumpIf(JUMP.ne, RESULT, 0, no);
        out.load(8, FROM, SCRATCH, FilterScratch.value);
      }
      out.alu64(ALU.add, FROM, offset);
    }
  }

  #read(helper: number, to: number, bytes: number): void {
    const out = this.#out;
    out.move(TO, { register: SCRATCH });
    out.alu64(ALU.add, TO, to);
    out.move(BYTES, bytes);
    out.call(helper);
  }

  #number({ field, type, mask, operator, value }: Extract<Checked, { kind: 'number' }>, yes: Label, no: Label): void {
    const out = this.#out;
    const bits = field.firstBit + type.bitSize;
    this.#address(field.offsets, no);
    this.#read(HELPER.probeReadKernel, FilterScratch.value, Math.ceil(bits / 8));
    out.jumpIf(JUMP.ne, RESULT, 0, no);
    this.#loadBits(field.firstBit, type);
    if (mask !== undefined) {
      out.constant(OPERAND, mask);
      out.alu64(ALU.and, VALUE, { register: OPERAND });
    }
    out.constant(OPERAND, value);
    const conditions = type.signed && mask === undefined ? SIGNED : UNSIGNED;
    out.jumpIf(conditions[operator], VALUE, { register: OPERAND }, yes);
    out.jump(no);
  }

  /** The field as a 64-bit number. */
  #loadBits(firstBit: number, { bitSize, signed, bigEndian }: NumberField): void {
    const out = this.#out;
    const isWhole = firstBit === 0 && [8, 16, 32, 64].includes(bitSize);
    out.load(isWhole ? ((bitSize / 8) as Width) : 8, VALUE, SCRATCH, FilterScratch.value);
    if (bigEndian && isWhole) {
      out.fromBigEndian(VALUE, bitSize as 16 | 32 | 64);
      return;
    }
    if (isWhole && !signed) return;
    if (firstBit + bitSize < 64) out.alu64(ALU.lsh, VALUE, 64 - firstBit - bitSize);
    if (bitSize < 64) out.alu64(signed ? ALU.arsh : ALU.rsh, VALUE, 64 - bitSize);
  }

  /** Reads one byte more than the text has: what is longer differs there. */
  #text({ field, operator, text }: Extract<Checked, { kind: 'text' }>, yes: Label, no: Label): void {
    const out = this.#out;
    const [same, other] = operator === '==' ? [yes, no] : [no, yes];
    const isPointer = field.type.kind === 'text' && field.type.bytes === undefined;
    this.#address(isPointer ? [...field.offsets, 0] : field.offsets, no);
    this.#read(HELPER.probeReadKernelStr, FilterScratch.text, text.length + 2);
    out.jumpIf(JUMP.sle, RESULT, 0, no);
    for (const [i, byte] of [...text, 0].entries()) {
      out.load(1, VALUE, SCRATCH, FilterScratch.text + i);
      out.jumpIf(JUMP.ne, VALUE, byte, other);
    }
    out.jump(same);
  }
}

/**
 * Compiles an expression on fields of struct sk_buff. `btf` says where they are in this kernel. A test on something that
 * cannot be read (behind a null pointer) is false, whatever it asks. Throws UsageError with the place of what is wrong.
 */
export function compileMeta(expression: string, btf: FieldTypes): WriteProgram {
  if (expression.trim() === '') throw new UsageError(`${META_FILTER} must not be empty`);
  const checked = new Checker(expression, btf).check(parseMeta(expression));
  return (out, accept, reject) => new Writer(out).write(checked, accept, reject);
}
