/** What expectations are made of, checked when they are made: a word that nothing ever has would hold against nothing, or never. */
import { readFileSync } from 'node:fs';
import { parseAddress } from '../decode/addresses.js';
import { UsageError } from '../errors.js';
import { ByKernel, type MaybeByKernel } from './by-kernel.js';
import { valueText } from './value-text.js';

/** Throws UsageError for a word, or one of those by kernel, that is none of these; undefined is left out. */
export function checkWords(what: string, words: MaybeByKernel<string | undefined>, known: Iterable<string>): void {
  const all = new Set(known);
  for (const word of words instanceof ByKernel ? Object.values(words.table) : [words]) {
    if (word === undefined || all.has(word)) continue;
    throw new UsageError(`there is no ${what} ${valueText(word)}`, { advice: `there are ${[...all].join(', ')}` });
  }
}

/** Throws UsageError where an object has other fields than these. */
export function checkFields(what: string, value: object, known: readonly string[]): void {
  if (typeof value !== 'object' || value === null)
    throw new UsageError(`a ${what} is an object, not ${valueText(value)}`);
  const wrong = Object.keys(value).find((name) => !known.includes(name));
  if (wrong !== undefined)
    throw new UsageError(`a ${what} has no field '${wrong}'`, { advice: `there are ${known.join(', ')}` });
}

export function checkAddress(what: string, address: string | undefined): void {
  if (address !== undefined && (typeof address !== 'string' || parseAddress(address) === null))
    throw new UsageError(`${what} is an IP address, not ${valueText(address)}`);
}

/** Throws UsageError for a number that is none, or below 0. */
export function checkNumber(what: string, value: number | null | undefined): void {
  if (value !== undefined && value !== null && !(Number.isInteger(value) && value >= 0))
    throw new UsageError(`${what} is a whole number, not ${valueText(value)}`);
}

/** The part of the published schema that tells of fields. */
interface Schema {
  $ref?: string;
  properties?: Record<string, Schema>;
}

const SCHEMA_FILE = new URL('../../schema/output.schema.json', import.meta.url);
let definitions: Readonly<Record<string, Schema>> | undefined;

function definition(name: string): Schema {
  definitions ??= (JSON.parse(readFileSync(SCHEMA_FILE, 'utf8')) as { $defs: Record<string, Schema> }).$defs;
  return definitions[name] ?? {};
}

function checkPart(where: string, part: unknown, schema: Schema): void {
  const { properties } = schema.$ref === undefined ? schema : definition(schema.$ref.replace('#/$defs/', ''));
  if (!properties || typeof part !== 'object' || part === null) return;
  checkFields(where, part, Object.keys(properties));
  for (const [name, inner] of Object.entries(part)) checkPart(`${where}'s ${name}`, inner, properties[name] ?? {});
}

/** Throws UsageError where part of an event has fields that no event has. */
export function checkEventPart(part: object): void {
  checkPart('event', part, { $ref: '#/$defs/TraceEvent' });
}
