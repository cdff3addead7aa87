import { readFileSync } from 'node:fs';
import type { OutputRecord } from '../types.js';

/** The keywords that our schema uses; another one is an error, so that nothing goes unchecked. */
interface Schema {
  $ref?: string;
  type?: string | string[];
  const?: unknown;
  enum?: unknown[];
  anyOf?: Schema[];
  items?: Schema;
  properties?: Record<string, Schema>;
  required?: string[];
  minimum?: number;
  maximum?: number;
  pattern?: string;
}

/** Says what is wrong with a value, beginning with where; undefined where nothing is. */
type Check = (value: unknown) => string | undefined;

const KNOWN_KEYWORDS = new Set(
  '$ref type const enum anyOf items properties required minimum maximum pattern description'.split(' '),
);
const SCHEMA_FILE = new URL('../../schema/output.schema.json', import.meta.url);

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

const IS_TYPE: Readonly<Record<string, (value: unknown) => boolean>> = {
  // 1e999 is Infinity to JSON.parse
  number: Number.isFinite,
  integer: Number.isInteger,
  string: (value) => typeof value === 'string',
  boolean: (value) => typeof value === 'boolean',
  array: Array.isArray,
  object: isObject,
};

/** What a number or a text must be beyond its type. */
function within({ minimum, maximum, pattern }: Schema): Check | undefined {
  if (pattern !== undefined) {
    const form = new RegExp(pattern, 'u');
    return (value) => (form.test(value as string) ? undefined : ' has not the form that it must have');
  }
  if (minimum === undefined && maximum === undefined) return undefined;
  const [low, high] = [minimum ?? Number.NEGATIVE_INFINITY, maximum ?? Number.POSITIVE_INFINITY];
  const wrong = ` is not from ${low} to ${high}`;
  return (value) => ((value as number) >= low && (value as number) <= high ? undefined : wrong);
}

/** Makes checks of a schema and its definitions, each definition once. */
class ShapeCompiler {
  readonly #defs: Readonly<Record<string, Schema>>;
  readonly #compiled = new Map<string, Check>();

  constructor(defs: Readonly<Record<string, Schema>>) {
    this.#defs = defs;
  }

  /** Throws Error where a definition is missing or uses a keyword that is not known here. */
  definition(name: string): Check {
    const known = this.#compiled.get(name);
    if (known) return known;
    const schema = this.#defs[name];
    if (!schema) throw new Error(`the schema has no '${name}'`);
    // a definition may contain itself
    this.#compiled.set(name, (value) => this.definition(name)(value));
    const check = this.#compile(schema);
    this.#compiled.set(name, check);
    return check;
  }

  #compile(schema: Schema): Check {
    for (const word of Object.keys(schema)) {
      if (!KNOWN_KEYWORDS.has(word)) throw new Error(`the schema has '${word}', which is not checked`);
    }
    if (schema.$ref !== undefined) return this.definition(definitionName(schema.$ref));
    if (schema.anyOf) {
      const checks = schema.anyOf.map((one) => this.#compile(one));
      return (value) => {
        let problem: string | undefined;
        for (const check of checks) {
          problem = check(value);
          if (problem === undefined) return undefined;
        }
        return problem;
      };
    }
    if (schema.const !== undefined || schema.enum) {
      const values = new Set(schema.enum ?? [schema.const]);
      return (value) => (values.has(value) ? undefined : ` is none of ${[...values].join(', ')}`);
    }
    const types = [schema.type ?? []].flat();
    const tests = types.map((type) => {
      const test = IS_TYPE[type];
      if (!test) throw new Error(`the schema has the type '${type}', which is not checked`);
      return test;
    });
    const wrong = ` is no ${types.join(' or ')}`;
    const inner = this.#inner(schema) ?? within(schema);
    return (value) => (tests.some((test) => test(value)) ? inner?.(value) : wrong);
  }

  /** What an object's properties or an array's items must be. */
  #inner(schema: Schema): Check | undefined {
    if (schema.items) {
      const item = this.#compile(schema.items);
      return (value) => {
        for (const [i, one] of (value as unknown[]).entries()) {
          const problem = item(one);
          if (problem !== undefined) return `[${i}]${problem}`;
        }
        return undefined;
      };
    }
    if (!schema.properties) return undefined;
    const required = new Set(schema.required);
    const properties = Object.entries(schema.properties).map(
      ([name, property]) => [name, this.#compile(property), required.has(name)] as const,
    );
    return (value) => {
      const object = value as Record<string, unknown>;
      for (const [name, check, needed] of properties) {
        const one = object[name];
        if (one === undefined && !needed) continue;
        const problem = one === undefined ? ' is missing' : check(one);
        if (problem !== undefined) return `.${name}${problem}`;
      }
      return undefined;
    };
  }
}

function definitionName(ref: string): string {
  return ref.replace('#/$defs/', '');
}

/** The check of each kind of record, by the word in `type`. */
function compileRecords(): ReadonlyMap<string, Check> {
  const { anyOf, $defs } = JSON.parse(readFileSync(SCHEMA_FILE, 'utf8')) as {
    anyOf: { $ref: string }[];
    $defs: Record<string, Schema>;
  };
  const compiler = new ShapeCompiler($defs);
  return new Map(
    anyOf.map(({ $ref }) => {
      const name = definitionName($ref);
      return [String($defs[name]?.properties?.type?.const), compiler.definition(name)];
    }),
  );
}

/** Records have some six levels; what is made to be deep would end whoever walks through it. */
const MAX_DEPTH = 32;

function isDeeperThan(value: object, levels: number): boolean {
  if (levels === 0) return true;
  for (const inner of Object.values(value)) {
    if (typeof inner === 'object' && inner !== null && isDeeperThan(inner, levels - 1)) return true;
  }
  return false;
}

let records: ReadonlyMap<string, Check> | undefined;

/**
 * Is this value, as JSON.parse gives it, a record? Returns it, or what is wrong with it in words. The check is made from
 * the published schema, which is made from src/types.ts; properties that it does not know are left as they are.
 */
export function asRecord(value: unknown): OutputRecord | string {
  if (!isObject(value)) return 'no JSON object';
  const { v, type } = value;
  if (v !== 1)
    return typeof v === 'number' ? `version ${v}, of which this nettrace knows nothing` : 'no trace of nettrace';
  records ??= compileRecords();
  const check = typeof type === 'string' ? records.get(type) : undefined;
  if (!check) return typeof type === 'string' ? `unknown type '${type}'` : '.type is no string';
  if (isDeeperThan(value, MAX_DEPTH)) return `nested deeper than ${MAX_DEPTH} levels`;
  const problem = check(value);
  // the check has just shown it
  return problem ?? (value as unknown as OutputRecord);
}
