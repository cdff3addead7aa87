import { UsageError } from '../errors.js';
import type { Proto, TraceEvent, Tuple } from '../types.js';
import { expressionError, type Span } from './expression-error.js';
import { type Comparison, type MetaExpression, parseMeta, type Test } from './meta-parser.js';
import { META_FILTER } from './meta-tokens.js';

/** What is recorded of an skb at one place. */
export interface RecordedSkb {
  proto: Proto;
  tuple?: Tuple | undefined;
  event: TraceEvent;
}

/** A field of struct sk_buff that traces hold; `undefined` where the skb did not have it, or it could not be read. */
type Field =
  | { kind: 'number'; bits: number; signed: boolean; of: (skb: RecordedSkb) => number | undefined }
  | { kind: 'text'; most: number; of: (skb: RecordedSkb) => string | undefined };

/** Those are read with --json and --detail, by the library unless it is told not to: then the mark is there, be it 0. */
function withDetail<T>(of: (event: TraceEvent) => T): (skb: RecordedSkb) => T {
  return ({ event }) => {
    if (event.mark !== undefined) return of(event);
    throw new UsageError(`${META_FILTER}: these traces were recorded without marks and interfaces`, {
      advice: 'the command line records them with --json, the library with `detail`',
    });
  };
}

function etherType({ proto, tuple }: RecordedSkb): number | undefined {
  if (proto === 'arp') return 0x0806;
  return tuple && (tuple.saddr.includes(':') ? 0x86dd : 0x0800);
}

const ETHER_TYPE: Field = { kind: 'number', bits: 16, signed: false, of: etherType };
const FIELDS: Readonly<Record<string, Field>> = {
  mark: { kind: 'number', bits: 32, signed: false, of: withDetail((event) => event.mark) },
  len: { kind: 'number', bits: 32, signed: false, of: ({ event }) => event.len },
  protocol: ETHER_TYPE,
  'dev.name': { kind: 'text', most: 15, of: withDetail((event) => event.ifname) },
  'dev.ifindex': { kind: 'number', bits: 32, signed: true, of: withDetail((event) => event.ifindex) },
  'dev.nd_net.net.ns.inum': { kind: 'number', bits: 32, signed: false, of: withDetail((event) => event.netns) },
};

const COMPARE: Readonly<Record<Comparison, (a: bigint, b: bigint) => boolean>> = {
  '==': (a, b) => a === b,
  '!=': (a, b) => a !== b,
  '<': (a, b) => a < b,
  '<=': (a, b) => a <= b,
  '>': (a, b) => a > b,
  '>=': (a, b) => a >= b,
};

type Check = (skb: RecordedSkb) => boolean;

/** Makes one check of an expression; what is wrong is told with its place. */
class Compiler {
  readonly #expression: string;

  constructor(expression: string) {
    this.#expression = expression;
  }

  compile(node: MetaExpression): Check {
    if (node.kind === 'not') {
      const operand = this.compile(node.operand);
      return (skb) => !operand(skb);
    }
    if (node.kind === 'test') return this.#test(node);
    const [left, right] = [this.compile(node.left), this.compile(node.right)];
    return node.kind === 'and' ? (skb) => left(skb) && right(skb) : (skb) => left(skb) || right(skb);
  }

  #fail(message: string, span: Span): never {
    throw expressionError(META_FILTER, message, this.#expression, span);
  }

  #test(test: Test): Check {
    const { path, start } = test;
    const name = path.map((part) => part.name).join('.');
    const field = Object.hasOwn(FIELDS, name) ? FIELDS[name] : undefined;
    if (!field) {
      const span = { start, end: path.at(-1)?.end ?? start };
      this.#fail(`'${name}' is not recorded in traces; ${Object.keys(FIELDS).join(', ')} are`, span);
    }
    return field.kind === 'text' ? this.#text(test, name, field) : this.#number(test, name, field);
  }

  #text({ value, mask, operator, start, end }: Test, name: string, field: Extract<Field, { kind: 'text' }>): Check {
    if (mask) this.#fail('a string has no bits to mask', mask);
    if (value?.kind !== 'string')
      this.#fail(`'${name}' is a string: compare it with == "..."`, value ?? { start, end });
    if (operator !== '==' && operator !== '!=') this.#fail('strings are compared by == and != only', value);
    if (Buffer.byteLength(value.text) > field.most)
      this.#fail(`a string of '${name}' has at most ${field.most} bytes`, value);
    return (skb) => {
      const have = field.of(skb);
      return have !== undefined && (have === value.text) === (operator === '==');
    };
  }

  #number({ value, mask, operator = '!=' }: Test, name: string, field: Extract<Field, { kind: 'number' }>): Check {
    if (value?.kind === 'string') this.#fail(`'${name}' is a number, which cannot be compared with a string`, value);
    const bits = BigInt(field.bits);
    for (const [number, signed] of [
      [mask, false],
      [value, field.signed && !mask],
    ] as const) {
      const low = signed ? -(1n << (bits - 1n)) : 0n;
      const high = (1n << (signed ? bits - 1n : bits)) - 1n;
      if (number && (number.value < low || number.value > high))
        this.#fail(`'${name}' (${bits} bits) has values from ${low} to ${high}`, number);
    }
    const wanted = value?.value ?? 0n;
    const compare = COMPARE[operator];
    return (skb) => {
      const have = field.of(skb);
      // a file may hold any number
      if (have === undefined || !Number.isSafeInteger(have)) return false;
      return compare(mask ? BigInt.asUintN(field.bits, BigInt(have)) & mask.value : BigInt(have), wanted);
    };
  }
}

/**
 * A metadata filter as a test of what traces hold of an skb. A test on something that the skb did not have is false, as
 * live. Throws UsageError with the place of what is wrong, and for fields that are not recorded; the test throws it where
 * the traces were recorded without them.
 */
export function recordedMeta(expression: string): (skb: RecordedSkb) => boolean {
  if (expression.trim() === '') throw new UsageError(`${META_FILTER} must not be empty`);
  return new Compiler(expression).compile(parseMeta(expression));
}
