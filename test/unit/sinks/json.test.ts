import { readFileSync } from 'node:fs';
import { Ajv2020 } from 'ajv/dist/2020.js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { jsonLine } from '../../../src/sinks/json.js';
import { RECORDS } from '../../support/output-records.js';
import { skbTrace, traceEvent } from '../../support/traces.js';

const schema = JSON.parse(readFileSync(new URL('../../../schema/output.schema.json', import.meta.url), 'utf8'));
const validate = new Ajv2020({ strict: false }).compile(schema);
/** Fields that a record may lack. */
const OPTIONAL = new Set(['tuple', 'skbAddress', 'netns', 'owner', 'rtt', 'stack', 'endedBy', 'name', 'unread']);

describe('a line of JSON', () => {
  it('is the trace, whole, on one line', () => {
    const trace = skbTrace({ events: [traceEvent({ comm: 'a\nb\u2028c', ret: '0xffffffffffffffff' })] });
    const line = jsonLine(trace);
    expect(line.indexOf('\n')).toBe(line.length - 1);
    expect(JSON.parse(line)).toEqual(trace);
  });

  it('holds no control character, and any name comes back as it was', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (comm) => {
        const line = jsonLine(skbTrace({ events: [traceEvent({ comm })] }));
        expect(line.slice(0, -1)).not.toMatch(/\p{Cc}/u);
        expect(JSON.parse(line).events[0].comm).toBe(comm);
      }),
      { numRuns: 200 },
    );
  });

  it.each(RECORDS.map((record) => [record.type, record] as const))(
    'of type %s fits the published schema, and holds all that the record does',
    (_type, record) => {
      const read: unknown = JSON.parse(jsonLine(record));
      expect(read).toEqual(record);
      expect(validate(read), JSON.stringify(validate.errors)).toBe(true);
    },
  );

  it('of every type but these is refused by the schema', () => {
    const types = new Set(RECORDS.map(({ type }) => type));
    expect([...types].sort()).toEqual([
      'connection',
      'connections-omitted',
      'counters',
      'functions',
      'histogram',
      'latency',
      'leftovers',
      'omitted',
      'packet',
      'sampled',
      'socket',
      'trace',
    ]);
    for (const record of RECORDS) expect(validate({ ...record, type: 'other' }), record.type).toBe(false);
  });

  it('that lacks a field, or has another version, does not fit', () => {
    for (const record of RECORDS) {
      expect(validate({ ...record, v: 2 }), record.type).toBe(false);
      for (const key of Object.keys(record)) {
        if (OPTIONAL.has(key)) continue;
        const { [key as keyof typeof record]: _left, ...rest } = record;
        expect(validate(rest), `${record.type} without ${key}`).toBe(false);
      }
    }
    const [trace] = RECORDS;
    expect(validate({ ...trace, closed: 'never' })).toBe(false);
    expect(validate({ ...trace, events: [{ func: 'x' }] })).toBe(false);
  });
});
