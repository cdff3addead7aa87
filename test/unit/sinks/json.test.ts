import { readFileSync } from 'node:fs';
import { Ajv2020 } from 'ajv/dist/2020.js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { jsonLine } from '../../../src/sinks/json.js';
import { skbTrace, traceEvent } from '../../support/traces.js';

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

  it('fits the published schema', () => {
    const schema = JSON.parse(readFileSync(new URL('../../../schema/trace.schema.json', import.meta.url), 'utf8'));
    const validate = new Ajv2020({ strict: false }).compile(schema);
    const full = skbTrace({
      events: [
        traceEvent({
          ifname: 'eth0',
          ifindex: 2,
          netns: 1,
          pid: 1,
          comm: 'x',
          mark: 0,
          len: 60,
          tcp: { seq: 1, ack: 2, flags: 'SA', win: 3, payload: 0, mss: 1460, sack: [{ left: 1, right: 2 }] },
          netfilter: { family: 'ipv4', hook: 'INPUT', table: 't', chain: 'c' },
          socket: { state: 'LISTEN', tsRecent: 5 },
          ret: '0xffffffffffffffff',
          drop: { location: 'tcp_v4_rcv+0x65', reason: 'NO_SOCKET' },
          notes: [{ level: 'error', text: 'x', advice: 'y' }],
        }),
      ],
    });
    expect(validate(JSON.parse(jsonLine(full))), JSON.stringify(validate.errors)).toBe(true);
    expect(validate({ ...full, v: 2 })).toBe(false);
    expect(validate({ ...full, closed: 'never' })).toBe(false);
    expect(validate({ ...full, events: [{ func: 'x' }] })).toBe(false);
  });
});
