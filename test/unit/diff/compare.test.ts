import { readFileSync } from 'node:fs';
import { Ajv2020 } from 'ajv/dist/2020.js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { align, similarity } from '../../../src/diff/align.js';
import { compareSets, compareTraces } from '../../../src/diff/compare.js';
import { shapeOf } from '../../../src/diff/path.js';
import { ShapeSet } from '../../../src/diff/shapes.js';
import { diffText } from '../../../src/diff/text.js';
import type { SkbTrace, TraceEvent } from '../../../src/types.js';
import { skbTrace, traceEvent } from '../../support/traces.js';

/** A trace of these functions; what more an event has stands behind its function. */
function way(words: string, more: Record<string, Partial<TraceEvent>> = {}, id = '1'): SkbTrace {
  return skbTrace({ id, events: words.split(' ').map((func) => traceEvent({ func, ...more[func] })) });
}

function setOf(...traces: SkbTrace[]): ShapeSet {
  const set = new ShapeSet();
  for (const trace of traces) set.add(trace);
  return set;
}

function compare(good: SkbTrace[], bad: SkbTrace[]) {
  return compareSets({ file: 'good', set: setOf(...good) }, { file: 'bad', set: setOf(...bad) });
}

function page(good: SkbTrace[], bad: SkbTrace[], width?: number): string {
  const { diff, traces } = compare(good, bad);
  return diffText(diff, traces, { width, color: false });
}

const letters = fc.array(fc.constantFrom('a', 'b', 'c'), { maxLength: 12 });

/** The length of the longest common subsequence, the slow way. */
function longest(a: readonly string[], b: readonly string[]): number {
  const [x, ...restA] = a;
  const [y, ...restB] = b;
  if (x === undefined || y === undefined) return 0;
  return x === y ? 1 + longest(restA, restB) : Math.max(longest(restA, b), longest(a, restB));
}

describe('alignment', () => {
  it('has both lists in their order, and equal things beside each other', () => {
    fc.assert(
      fc.property(letters, letters, (a, b) => {
        const rows = align(a, b);
        expect(rows.flatMap((row) => row.a ?? [])).toEqual(a.map((_, i) => i));
        expect(rows.flatMap((row) => row.b ?? [])).toEqual(b.map((_, i) => i));
        for (const row of rows) if (row.a !== undefined && row.b !== undefined) expect(a[row.a]).toBe(b[row.b]);
      }),
    );
  });

  it('finds as much in common as there is', () => {
    const short = fc.array(fc.constantFrom('a', 'b', 'c'), { maxLength: 8 });
    fc.assert(
      fc.property(short, short, (a, b) => {
        const both = align(a, b).filter((row) => row.a !== undefined && row.b !== undefined);
        expect(both).toHaveLength(longest(a, b));
      }),
    );
  });

  it('of lists that are too long is not tried, and still has all of both', () => {
    const a = Array.from({ length: 6000 }, (_, i) => `a${i}`);
    const b = Array.from({ length: 6000 }, (_, i) => `b${i}`);
    expect(align(['x', ...a, 'y'], ['x', ...b, 'y'])).toHaveLength(12_002);
  });

  it('says how similar lists are', () => {
    expect(similarity([], [])).toBe(1);
    expect(similarity(['a', 'b'], ['a', 'b'])).toBe(1);
    expect(similarity(['a', 'b'], ['c'])).toBe(0);
    expect(similarity(['a', 'b'], ['a', 'c'])).toBe(0.5);
  });
});

describe('a way', () => {
  it('has functions in order, repeats as one, without the moment a clone joined', () => {
    const trace = way('a a b a');
    trace.events.splice(1, 0, traceEvent({ func: 'skb_clone', parent: 0 }));
    expect(shapeOf(trace)).toEqual(['a', 'b', 'a']);
  });
});

describe('two traces', () => {
  it('that are alike but for times, addresses, numbers and processes do not differ', () => {
    const tcp = { seq: 1, ack: 2, flags: 'S', win: 3, payload: 0 };
    const good = way('a b', { a: { tcp, t: 1, cpu: 0, netns: 1, pid: 1, comm: 'x' } });
    const bad = way('a b', { a: { tcp: { ...tcp, seq: 9, ack: 9 }, t: 2, cpu: 3, netns: 2, pid: 2, comm: 'y' } }, '2');
    bad.tuple = { saddr: '192.0.2.1', sport: 1, daddr: '192.0.2.2', dport: 2 };
    expect(compareTraces(good, bad).values).toEqual([]);
    expect(compare([good], [bad]).diff.same).toBe(true);
  });

  it.each<[string, Partial<TraceEvent>, Partial<TraceEvent>, string | undefined, string | undefined]>([
    ['drop reason', { drop: { location: 'x', reason: 'A' } }, { drop: { location: 'x' } }, 'A', 'none given'],
    ['drop location', { drop: { location: 'x', reason: 'A' } }, { drop: { location: 'y', reason: 'A' } }, 'x', 'y'],
    ['return value', { ret: 0 }, { ret: '0xffffffffffffffff' }, '0', '0xffffffffffffffff'],
    ['netfilter table', { netfilter: { table: 'nat' } }, {}, 'nat', undefined],
    ['netfilter chain', { netfilter: { chain: 'in' } }, { netfilter: { chain: 'out' } }, 'in', 'out'],
    ['new state', { socket: { newState: 'CLOSE' } }, { socket: {} }, 'CLOSE', undefined],
    ['reset reason', {}, { socket: { resetReason: 'NO_SOCKET' } }, undefined, 'NO_SOCKET'],
    ['interface', { ifname: 'eth0' }, { ifname: 'eth1' }, 'eth0', 'eth1'],
    ['mark', { mark: 0 }, { mark: 255 }, '0', '0xff'],
    ['length', { len: 60 }, { len: 52 }, '60', '52'],
    ['hook function', {}, { netfilter: { hooks: [{ name: 'f' }, { name: 'g', blamed: true }] } }, undefined, 'g'],
    ['note', {}, { notes: [{ level: 'error', text: 'sending failed' }] }, undefined, 'sending failed'],
    [
      'rewritten',
      {},
      { tuple: { saddr: '172.26.137.131', daddr: '10.0.0.9', sport: 54321, dport: 8000 } },
      undefined,
      'daddr',
    ],
  ])('that differ in %s say so with both values', (what, a, b, good, bad) => {
    const { values } = compareTraces(way('f', { f: a }), way('f', { f: b }));
    expect(values).toEqual([
      { step: 0, func: 'f', what, ...(good === undefined ? {} : { good }), ...(bad === undefined ? {} : { bad }) },
    ]);
  });

  it('have the distinct values of a function that was passed several times in a row', () => {
    const good = skbTrace({
      events: [traceEvent({ ifname: 'a' }), traceEvent({ ifname: 'a' }), traceEvent({ ifname: 'b' })],
    });
    const bad = skbTrace({ events: [traceEvent({ ifname: 'a' })] });
    expect(compareTraces(good, bad).values).toEqual([
      { step: 0, func: 'ip_rcv', what: 'interface', good: 'a, b', bad: 'a' },
    ]);
  });

  it('part where the functions do', () => {
    const pair = compareTraces(way('a b c e'), way('a b d e'));
    expect(pair.common).toBe(2);
    expect(pair.steps.map(({ func, in: where }) => `${func} ${where}`)).toEqual([
      'a both',
      'b both',
      'c good',
      'd bad',
      'e both',
    ]);
  });
});

describe('sets of traces', () => {
  const often = [way('a b c', {}, '1'), way('a b c', {}, '2')];

  it('tell the ways that only one has, with how many went them and an example', () => {
    const { diff } = compare([...often, way('x', {}, '3')], [way('a b c', {}, '4'), way('a b d', {}, '5')]);
    expect(diff.same).toBe(false);
    expect(diff.shapes).toEqual([
      { functions: ['x'], good: 1, bad: 0, goodExample: '3' },
      { functions: ['a', 'b', 'd'], good: 0, bad: 1, badExample: '5' },
      { functions: ['a', 'b', 'c'], good: 2, bad: 1, goodExample: '1', badExample: '4' },
    ]);
  });

  it('set the most similar pair of ways that differ side by side', () => {
    const { diff } = compare([...often, way('x y z', {}, '3')], [way('a b d', {}, '5')]);
    expect([diff.pair.good, diff.pair.bad]).toEqual(['1', '5']);
  });

  it('with the same ways show the first whose values differ', () => {
    const { diff } = compare([...often, way('d', {}, '3')], [way('a b c', {}, '4'), way('d', { d: { ret: 1 } }, '5')]);
    expect([diff.pair.good, diff.pair.bad, diff.same]).toEqual(['3', '5', false]);
    expect(compare(often, often).diff.same).toBe(true);
  });

  it('keep so many ways and no more; the rest is counted', () => {
    const set = new ShapeSet();
    for (let i = 0; i < 10_005; i++) set.add(way(`f${i}`));
    expect([set.traces, set.groups.size, set.notCompared]).toEqual([10_005, 10_000, 5]);
  });
});

describe('the page', () => {
  const good = way('a b c d e', { b: { ret: 1 } });
  const bad = way('a b x e', { b: { ret: -1 } }, '2');

  it('has the common way, then the two ways, then the values', () => {
    expect(page([good], [bad])).toBe(`GOOD good: 1 trace, 1 way
BAD  bad: 1 trace, 1 way

GOOD trace 1: tcp 172.26.137.131:54321 -> 172.26.137.130:8000, it was freed, and nothing showed why
BAD  trace 2: tcp 172.26.137.131:54321 -> 172.26.137.130:8000, it was freed, and nothing showed why

the same way, 2 functions:
  a b!

then:
  GOOD     BAD
  c     <
  d     <
        >  x
  e        e

values that differ (!):
                   GOOD  BAD
  b  return value  1     -1
`);
  });

  it('says that nothing differs, and that everything does', () => {
    expect(page([good], [good])).toContain('the same way, all 5 functions:\n  a b c d e\n\nno value differs');
    expect(page([way('a')], [way('b')])).toContain('the ways differ from the first function on');
  });

  it('lists the ways of sets, and counts long runs that both have', () => {
    const long = Array.from({ length: 20 }, (_, i) => `f${i}`).join(' ');
    const text = page([way(`a c ${long}`), way('q')], [way(`a d ${long}`)]);
    expect(text).toContain('ways only in GOOD:\n      1  a ... f19 (22 functions), such as 1\n');
    expect(text).toContain('the most similar that differ:');
    expect(text).toContain('(20 functions alike)');
  });

  it('fits the terminal', () => {
    const name = 'a_function_with_a_very_long_name_indeed';
    const drop = { location: 'nf_hook_slow+0x1234 [some_module]', reason: 'NETFILTER_DROP' };
    const text = page([way(`${name} b`)], [way(`${name} c d`, { [name]: { drop } })], 60);
    expect(Math.max(...text.split('\n').map((line) => line.length))).toBeLessThanOrEqual(60);
    expect(text).toContain('…');
  });

  it('has colours only where they are asked for', () => {
    const { diff, traces } = compare([good], [bad]);
    expect(page([good], [bad])).not.toContain('\x1b');
    const coloured = diffText(diff, traces, { width: undefined, color: true });
    // biome-ignore lint/suspicious/noControlCharactersInRegex: colours begin with one
    expect(coloured.replace(/\x1b\[\d+m/g, '')).toBe(page([good], [bad]));
  });
});

describe('its JSON', () => {
  it('fits the published schema', () => {
    const schema = JSON.parse(readFileSync(new URL('../../../schema/diff.schema.json', import.meta.url), 'utf8'));
    const validate = new Ajv2020({ strict: false }).compile(schema);
    const { diff } = compare([way('a b')], [way('a c', { a: { ret: 1 } })]);
    expect(validate(JSON.parse(JSON.stringify(diff))), JSON.stringify(validate.errors)).toBe(true);
    expect(validate({ ...diff, same: 'no' })).toBe(false);
  });
});
