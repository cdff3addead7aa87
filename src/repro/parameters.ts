import { UsageError } from '../errors.js';

/** A number or word that a case can be played with, by `--set name=value`. */
export interface ParameterDefinition<T extends number | string | boolean = number | string | boolean> {
  default: T;
  /** What it is. */
  text: string;
  /** Of numbers: `ms`, `bytes`, `connections`; for the help. */
  unit?: string;
  /** Of whole numbers: the smallest and the largest one. */
  range?: readonly [low: number, high: number];
  /** Of words: those that may be given. */
  choices?: readonly string[];
}

export type ParameterDefinitions = Readonly<Record<string, ParameterDefinition>>;

/** The values of a case's parameters: each of its default's type. */
export type ParameterValues<P extends ParameterDefinitions> = {
  readonly [K in keyof P]: P[K]['default'] extends number ? number : P[K]['default'] extends boolean ? boolean : string;
};

function parseOne(name: string, definition: ParameterDefinition, text: string): number | string | boolean {
  const { default: standard, range, choices } = definition;
  if (typeof standard === 'boolean') {
    if (text === 'true' || text === 'false') return text === 'true';
    throw new UsageError(`${name} must be true or false, not '${text}'`);
  }
  if (typeof standard === 'string') {
    if (!choices || choices.includes(text)) return text;
    throw new UsageError(`${name} must be one of ${choices.join(', ')}, not '${text}'`);
  }
  const value = /^-?\d+$/.test(text) ? Number(text) : Number.NaN;
  const [low, high] = range ?? [0, 2 ** 32 - 1];
  if (value >= low && value <= high) return value;
  throw new UsageError(`${name} must be a whole number from ${low} to ${high}, not '${text}'`);
}

/** `name=value` words to a table. Throws UsageError for what is no such word, or is given twice. */
export function parseSettings(words: readonly string[]): Map<string, string> {
  const settings = new Map<string, string>();
  for (const word of words) {
    const at = word.indexOf('=');
    if (at < 1) throw new UsageError(`--set takes name=value, not '${word}'`);
    const name = word.slice(0, at);
    if (settings.has(name)) throw new UsageError(`--set ${name} is given twice`);
    settings.set(name, word.slice(at + 1));
  }
  return settings;
}

/** The parameters' values with these settings. Throws UsageError for wrong values; names that are not there are the caller's. */
export function parameterValues<P extends ParameterDefinitions>(
  definitions: P,
  settings: ReadonlyMap<string, string | number | boolean>,
): ParameterValues<P> {
  const entries = Object.entries(definitions).map(([name, definition]) => {
    const given = settings.get(name);
    return [name, given === undefined ? definition.default : parseOne(name, definition, String(given))] as const;
  });
  return Object.fromEntries(entries) as ParameterValues<P>;
}
