import { expressionError, type Span } from './expression-error.js';

/** What the expression is called in messages. */
export const META_FILTER = 'metadata filter';

export interface Token extends Span {
  kind: 'name' | 'number' | 'string' | 'symbol' | 'end';
  /** As written; of a string what stands between the quotes, escapes resolved. */
  text: string;
}

const PATTERN =
  /(?<name>[A-Za-z_]\w*)|(?<number>-?\d\w*)|(?<string>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')|(?<symbol>->|&&|\|\||[=!<>]=|[.()!<>&])/y;
/** Far more than anybody writes, and few enough for what is done by recursion. */
const MAX_TOKENS = 2000;
const SYNONYMS: Readonly<Record<string, string>> = { and: '&&', or: '||', not: '!' };
/** What stands where something else is meant. */
const MISTAKEN: Readonly<Record<string, string>> = {
  '=': 'equality is written ==',
  '|': "'or' is written ||",
  '"': 'the string has no end',
  "'": 'the string has no end',
};

/** Cuts an expression into its words, with one of the kind `end` behind the last. Throws UsageError with the place. */
export function tokenize(expression: string): Token[] {
  const tokens: Token[] = [];
  let at = 0;
  for (;;) {
    at += /^\s*/.exec(expression.slice(at))?.[0].length ?? 0;
    if (at === expression.length) break;
    PATTERN.lastIndex = at;
    const groups = PATTERN.exec(expression)?.groups;
    const [kind, text] = Object.entries(groups ?? {}).find(([, value]) => value !== undefined) ?? [];
    if (text === undefined) {
      const char = expression[at] ?? '';
      const span = { start: at, end: '"\''.includes(char) ? expression.length : at + 1 };
      const message = MISTAKEN[char] ?? `'${char}' means nothing here`;
      throw expressionError(META_FILTER, message, expression, span);
    }
    tokens.push(makeToken(kind as Token['kind'], text, at));
    if (tokens.length > MAX_TOKENS) {
      throw expressionError(META_FILTER, `more than ${MAX_TOKENS} words`, expression, {
        start: at,
        end: at + text.length,
      });
    }
    at += text.length;
  }
  return [...tokens, { kind: 'end', text: '', start: at, end: at + 1 }];
}

function makeToken(kind: Token['kind'], text: string, start: number): Token {
  const span = { start, end: start + text.length };
  const symbol = kind === 'name' ? SYNONYMS[text] : undefined;
  if (symbol) return { kind: 'symbol', text: symbol, ...span };
  if (kind === 'string') return { kind, text: text.slice(1, -1).replaceAll(/\\(.)/g, '$1'), ...span };
  return { kind, text, ...span };
}
