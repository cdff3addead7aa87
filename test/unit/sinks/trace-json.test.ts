import fc from 'fast-check';
import { expect, it } from 'vitest';
import { jsonLine } from '../../../src/sinks/json.js';
import { traceLine } from '../../../src/sinks/trace-json.js';
import type { Note, SkbTrace, TraceEvent } from '../../../src/types.js';
import { RECORDS } from '../../support/output-records.js';

const name = fc.string({ unit: 'binary', maxLength: 16 });
const u32 = fc.nat({ max: 2 ** 32 - 1 });
const seconds = fc.double({ min: 0, max: 1e9, noNaN: true }).map(Math.abs);
const hex = fc.array(fc.nat(255), { minLength: 1, maxLength: 8 }).map((bytes) => Buffer.from(bytes).toString('hex'));
const note: fc.Arbitrary<Note> = fc.record(
  { level: fc.constantFrom('info', 'warning', 'error'), text: name, advice: name, cause: name },
  { requiredKeys: ['level', 'text'] },
);
const tuple = fc.record({ saddr: name, daddr: name, sport: u32, dport: u32 }, { requiredKeys: ['saddr', 'daddr'] });
const block = fc.record({ left: u32, right: u32 });
const tcp = fc.record(
  {
    ...{ seq: u32, ack: u32, flags: fc.constantFrom('', 'S', 'SA'), win: u32, payload: u32, mss: u32 },
    ...{ windowScale: u32, sackPermitted: fc.boolean(), sack: fc.array(block), tsval: u32, tsecr: u32 },
    ...{ other: fc.array(u32), malformed: fc.boolean() },
  },
  { requiredKeys: ['seq', 'ack', 'flags', 'win', 'payload'] },
);
const bytes = fc.record(
  { link: fc.constantFrom('ethernet', 'raw'), hex, length: u32, cut: fc.boolean() },
  { requiredKeys: ['link', 'hex', 'length'] },
);
/** Every field that an event can have. */
const fields: { [K in keyof Required<TraceEvent>]: fc.Arbitrary<NonNullable<TraceEvent[K]>> } = {
  ...{
    t: seconds,
    skb: fc.nat(3),
    func: name,
    stage: name,
    cpu: u32,
    ifname: name,
    ifindex: u32,
    netns: u32,
    pid: u32,
  },
  ...{ comm: name, owner: fc.record({ pid: u32, comm: name }), mark: u32, len: u32, pktLen: u32 },
  ...{ proto: fc.constantFrom('tcp', 'udp', 'unknown'), tuple, tcp, ipProtocol: u32, arpOp: u32 },
  icmp: fc.record({ type: u32, code: u32, id: u32, seq: u32 }, { requiredKeys: ['type', 'code'] }),
  ...{ fromSocket: fc.boolean(), parent: fc.nat(3), ret: fc.oneof(name, fc.integer()) },
  netfilter: fc.record({ family: name, table: name, hooks: fc.array(fc.record({ name })) }, { requiredKeys: [] }),
  socket: fc.record({ state: name, rcvNxt: u32, requestLeft: fc.boolean() }, { requiredKeys: [] }),
  drop: fc.record({ location: name, reason: name, noLoss: name }, { requiredKeys: ['location'] }),
  stack: fc.array(fc.record({ address: hex, symbol: name })),
  ...{ bytes, notes: fc.array(note, { maxLength: 2 }) },
};
const event = fc.record(fields, { requiredKeys: ['t', 'skb', 'func', 'stage', 'cpu', 'notes'] });
const trace = fc.record(
  {
    ...{ v: fc.constant(1 as const), type: fc.constant('trace' as const), id: hex, skbs: fc.array(hex), tuple },
    ...{ proto: fc.constantFrom('tcp', 'udp'), start: seconds, date: fc.constant('2026-12-01T00:00:00.000000Z') },
    ...{ durationUs: u32, complete: fc.boolean(), closed: fc.constantFrom('freed', 'age') },
    events: fc.array(event, { maxLength: 3 }),
    verdict: fc.record({
      ...{ outcome: fc.constantFrom('delivered', 'dropped'), cause: name, facts: fc.array(name), text: name },
      ...{ advice: fc.array(name), evidence: fc.array(name) },
    }),
    findings: fc.constant([]),
  },
  {
    requiredKeys: [
      ...(['v', 'type', 'id', 'skbs', 'proto', 'start', 'date', 'durationUs', 'complete', 'closed'] as const),
      ...(['events', 'verdict'] as const),
    ],
  },
) as fc.Arbitrary<SkbTrace>;

const isUnprintable = /[\p{Cc}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/u;

it('a trace, whatever it holds, is the same record that JSON.stringify makes, with nothing that a terminal obeys', () => {
  fc.assert(
    fc.property(trace, (one) => {
      const line = traceLine(one);
      expect(line.endsWith('}\n')).toBe(true);
      expect(line.slice(0, -1)).not.toMatch(isUnprintable);
      expect(JSON.parse(line)).toStrictEqual(JSON.parse(jsonLine(one)));
    }),
    { numRuns: 500 },
  );
});

it('traces that share what was said of them are each written whole', () => {
  for (const record of RECORDS) {
    if (record.type !== 'trace') continue;
    const later = { ...record, events: record.events.map((one) => ({ ...one, t: one.t + 1, cpu: one.cpu + 1 })) };
    for (const one of [record, later, record]) expect(JSON.parse(traceLine(one))).toEqual(JSON.parse(jsonLine(one)));
  }
});
