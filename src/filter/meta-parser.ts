import { expressionError, type Span } from './expression-error.js';
import { META_FILTER, type Token, tokenize } from './meta-tokens.js';

export const COMPARISONS = ['==', '!=', '<', '<=', '>', '>='] as const;
export type Comparison = (typeof COMPARISONS)[number];

/** A name with its place. */
export interface FieldName extends Span {
  name: string;
}

export interface NumberValue extends Span {
  kind: 'number';
  value: bigint;
}

export interface StringValue extends Span {
  kind: 'string';
  text: string;
}

/** A field of struct sk_buff, masked if there is a mask, compared with a value; without an operator: is it not zero? */
export interface Test extends Span {
  kind: 'test';
  path: FieldName[];
  mask: NumberValue | undefined;
  operator: Comparison | undefined;
  value: NumberValue | StringValue | undefined;
}

export type MetaExpression =
  | { kind: 'and' | 'or'; left: MetaExpression; right: MetaExpression }
  | { kind: 'not'; operand: MetaExpression }
  | Test;

/** As deep as brackets and negations may be: each is a call of the parser. */
const MAX_DEPTH = 100;
const WORDS: Readonly<Record<string, bigint>> = { true: 1n, false: 0n };

class Parser {
  readonly #expression: string;
  readonly #tokens: readonly Token[];
  #at = 0;
  #depth = 0;

  constructor(expression: string) {
    this.#expression = expression;
    this.#tokens = tokenize(expression);
  }

  parse(): MetaExpression {
    const result = this.#or();
    if (this.#token.kind !== 'end') this.#fail(`expected '&&', '||' or the end${this.#found()}`);
    return result;
  }

  get #token(): Token {
    const token = this.#tokens[this.#at] ?? this.#tokens.at(-1);
    if (!token) throw new Error('an expression has at least its end');
    return token;
  }

  #isSymbol(text: string): boolean {
    return this.#token.kind === 'symbol' && this.#token.text === text;
  }

  #take(symbol: string): boolean {
    const found = this.#isSymbol(symbol);
    if (found) this.#at++;
    return found;
  }

  #found(): string {
    return this.#token.kind === 'end' ? '' : `, not '${this.#expression.slice(this.#token.start, this.#token.end)}'`;
  }

  #fail(message: string, span: Span = this.#token): never {
    throw expressionError(META_FILTER, message, this.#expression, span);
  }

  #or(): MetaExpression {
    let left = this.#and();
    while (this.#take('||')) left = { kind: 'or', left, right: this.#and() };
    return left;
  }

  #and(): MetaExpression {
    let left = this.#not();
    while (this.#take('&&')) left = { kind: 'and', left, right: this.#not() };
    return left;
  }

  #not(): MetaExpression {
    if (++this.#depth > MAX_DEPTH) this.#fail(`brackets and negations are more than ${MAX_DEPTH} deep`);
    try {
      if (this.#take('!')) return { kind: 'not', operand: this.#not() };
      const open = this.#token;
      if (!this.#take('(')) return this.#test();
      const inner = this.#or();
      if (!this.#take(')')) {
        if (this.#token.kind === 'end') this.#fail("this '(' is not closed", open);
        this.#fail(`expected '&&', '||' or ')'${this.#found()}`);
      }
      return inner;
    } finally {
      this.#depth--;
    }
  }

  #test(): Test {
    const { start } = this.#token;
    const path = this.#path();
    const mask = this.#take('&') ? this.#number('a number behind &') : undefined;
    const operator = COMPARISONS.find((text) => this.#take(text));
    const value = operator ? this.#value(operator) : undefined;
    return { kind: 'test', path, mask, operator, value, start, end: this.#tokens[this.#at - 1]?.end ?? start };
  }

  #path(): FieldName[] {
    const path = [this.#name('a field of struct sk_buff')];
    while (this.#take('.') || this.#take('->')) path.push(this.#name("a field's name"));
    // as kernel sources write it
    if (path[0]?.name === 'skb' && path.length > 1) path.shift();
    return path;
  }

  #name(what: string): FieldName {
    const { kind, text, start, end } = this.#token;
    if (kind !== 'name') this.#fail(`expected ${what}${this.#found()}`);
    this.#at++;
    return { name: text, start, end };
  }

  #value(operator: Comparison): NumberValue | StringValue {
    const { kind, text, start, end } = this.#token;
    if (kind !== 'string') return this.#number(`a number or a string in quotes behind ${operator}`);
    this.#at++;
    return { kind, text, start, end };
  }

  #number(what: string): NumberValue {
    const { kind, text, start, end } = this.#token;
    const word = kind === 'name' ? WORDS[text] : undefined;
    if (kind !== 'number' && word === undefined) this.#fail(`expected ${what}${this.#found()}`);
    const value = word ?? parseNumber(text);
    if (value === undefined) this.#fail(`'${text}' is no number`);
    this.#at++;
    return { kind: 'number', value, start, end };
  }
}

/** Decimal, 0x..., 0b..., and octal with a leading zero as in C; a minus in front. */
function parseNumber(text: string): bigint | undefined {
  const [, minus, digits = ''] = /^(-?)(\w+)$/.exec(text) ?? [];
  const isPlain = /^(0|[1-9]\d*|0[xX][\da-fA-F]+|0[bB][01]+)$/.test(digits);
  const isOctal = /^0[0-7]+$/.test(digits);
  if (!isPlain && !isOctal) return undefined;
  const value = BigInt(isOctal ? `0o${digits.slice(1)}` : digits);
  return minus ? -value : value;
}

/**
 * Parses an expression on fields of struct sk_buff: tests joined by && || ! (or and, or, not), with && before ||, and
 * brackets. Throws UsageError with the place of what is wrong.
 */
export function parseMeta(expression: string): MetaExpression {
  return new Parser(expression).parse();
}
