import { readFileSync } from 'node:fs';
import { Ajv2020 } from 'ajv/dist/2020.js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { asRecord } from '../../../src/read/record-shape.js';
import { RECORDS } from '../../support/output-records.js';
import { skbTrace } from '../../support/traces.js';

const schema = JSON.parse(readFileSync(new URL('../../../schema/output.schema.json', import.meta.url), 'utf8'));
const validate = new Ajv2020({ strict: false }).compile(schema);

/** Every place in a value: the keys that lead to it. */
function places(value: unknown, way: readonly (string | number)[] = []): (string | number)[][] {
  const own = way.length > 0 ? [[...way]] : [];
  if (typeof value !== 'object' || value === null) return own;
  return [...own, ...Object.entries(value).flatMap(([key, inner]) => places(inner, [...way, key]))];
}

/** The value with something else at one place. */
function changed(value: object, way: readonly (string | number)[], to: unknown): unknown {
  const copy = structuredClone(value);
  let at = copy as Record<string | number, unknown>;
  for (const key of way.slice(0, -1)) at = at[key] as Record<string | number, unknown>;
  const last = way.at(-1)!;
  if (to === undefined) delete at[last];
  else at[last] = to;
  return copy;
}

describe('the shape of a record', () => {
  it.each(RECORDS.map((record) => [record.type, record] as const))('%s is taken as it is', (_type, record) => {
    expect(asRecord(record)).toBe(record);
    expect(validate(record)).toBe(true);
  });

  it('is the same for us as for the published schema, whatever is changed in it', () => {
    const other = fc.oneof(
      fc.constantFrom(undefined, null, true, 'x', '', -1, 1e300, [], {}, [1], [null]),
      fc.jsonValue(),
    );
    const change = fc
      .constantFrom(...RECORDS)
      .chain((record) => fc.tuple(fc.constant(record), fc.constantFrom(...places(record)), other));
    fc.assert(
      fc.property(change, ([record, way, to]) => {
        const value = changed(record, way, to);
        const isTaken = typeof asRecord(value) !== 'string';
        expect(isTaken, JSON.stringify(value)).toBe(validate(value));
      }),
      { numRuns: 1500 },
    );
  });

  it.each([
    [null, 'no JSON object'],
    [[], 'no JSON object'],
    ['trace', 'no JSON object'],
    [{}, 'no trace of nettrace'],
    [{ v: 2, type: 'trace' }, 'version 2, of which this nettrace knows nothing'],
    [{ v: 1, type: 'news' }, "unknown type 'news'"],
    [{ v: 1, type: '__proto__' }, "unknown type '__proto__'"],
    [{ v: 1 }, '.type is no string'],
    [{ ...skbTrace(), events: [{}] }, '.events[0].t is missing'],
    [{ ...skbTrace(), proto: 'sctp' }, '.proto is none of tcp, udp, icmp, icmpv6, arp, ip, ipv6, unknown'],
    [{ ...skbTrace(), start: Number.POSITIVE_INFINITY }, '.start is no number'],
    [{ ...skbTrace(), start: -1 }, '.start is not from 0 to 10000000000'],
    [{ ...skbTrace(), date: 'yesterday' }, '.date has not the form that it must have'],
    [{ ...skbTrace(), date: '2026-13-01T12:00:00.000100Z' }, '.date has not the form that it must have'],
    [{ ...skbTrace(), tuple: { ...skbTrace().tuple, dport: 1e308 } }, '.tuple.dport is not from 0 to 65535'],
    [{ ...skbTrace(), tuple: { ...skbTrace().tuple, dport: 0.5 } }, '.tuple.dport is no integer'],
  ])('of %j is wrong: %s', (value, problem) => {
    expect(asRecord(value)).toBe(problem);
  });

  it('may have more than is known: later versions add fields', () => {
    const record = { ...skbTrace(), later: { field: 1 } };
    expect(asRecord(record)).toBe(record);
  });

  it('is not as deep as one likes: who walks through it would not come back', () => {
    const deep = JSON.parse(`${JSON.stringify(skbTrace()).slice(0, -1)}, "x": ${'['.repeat(5000)}${']'.repeat(5000)}}`);
    expect(asRecord(deep)).toBe('nested deeper than 32 levels');
  });

  it('does not let a line reach what all objects share', () => {
    const record = JSON.parse(`{"__proto__": {"polluted": 1}, ${JSON.stringify(skbTrace()).slice(1)}`);
    expect(asRecord(record)).toBe(record);
    expect(({} as { polluted?: number }).polluted).toBeUndefined();
  });
});
