import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type ModeChoice, ModeConverter } from '../../../src/read/as-mode.js';
import { FunctionSet } from '../../../src/read/function-set.js';
import type { Histogram, OutputRecord, PacketEvent, SkbTrace, SocketEvent, TraceEvent } from '../../../src/types.js';
import { RECORDS } from '../../support/output-records.js';
import { skbTrace, traceEvent } from '../../support/traces.js';

const START = 4912183.252733;
const DROP = { location: 'tcp_v4_rcv+0x65', reason: 'NO_SOCKET' };
const OTHER = { saddr: '10.0.0.9', sport: 1, daddr: '10.0.0.2', dport: 80 };
const STACK = [{ address: 'ffffffff81000000', symbol: 'tcp_v4_rcv+0x65' }];

/** An event so many microseconds behind the trace's start. */
function at(us: number, more: Partial<TraceEvent> = {}): TraceEvent {
  return traceEvent({ t: START + us / 1e6, ...more });
}

/** Received, cloned, rewritten and dropped; the clone is freed later. */
const TRACE = skbTrace({
  events: [
    at(0, { func: 'ip_rcv' }),
    at(10, { func: 'skb_clone', stage: 'life', skb: 1, parent: 0 }),
    at(20, { func: 'nf_nat_manip_pkt', stage: 'netfilter', tuple: OTHER, notes: [{ level: 'info', text: 'NAT' }] }),
    at(30, { func: 'tcp_v4_rcv', stage: 'tcp-in', notes: [{ level: 'warning', text: 'odd' }] }),
    at(40, { func: 'kfree_skb', stage: 'life', drop: DROP, stack: STACK, notes: [{ level: 'error', text: 'x' }] }),
    at(50, { func: 'packet_rcv', stage: 'packet-socket', skb: 1 }),
    at(1000, { func: 'consume_skb', stage: 'life', skb: 1, notes: [{ level: 'info', text: 'freed' }] }),
  ],
});
const HARMLESS = skbTrace({
  id: '2b',
  events: [at(0), at(7, { func: 'kfree_skb', stage: 'life', drop: { ...DROP, noLoss: 'it did its work' } })],
});
const SOCKET = RECORDS.find((record) => record.type === 'socket') as SocketEvent;

type Wanted = Partial<Omit<ModeChoice, 'events' | 'details'>> & {
  events?: Partial<ModeChoice['events']>;
  details?: Partial<ModeChoice['details']>;
};

function converter({ events, details, ...rest }: Wanted): ModeConverter {
  return new ModeConverter({
    mode: 'life',
    matches: () => true,
    dropAll: false,
    explain: false,
    minLatency: 0,
    latencyFree: false,
    minSrtt: 0,
    minRtt: 0,
    ...rest,
    events: { noClones: false, ...events },
    details: { stacks: 'all', hooks: true, ...details },
  });
}

function shown(wanted: Wanted, ...records: OutputRecord[]): OutputRecord[] {
  const one = converter(wanted);
  const all = structuredClone(records).flatMap((record) => [...one.convert(record)]);
  return [...all, ...[one.end() ?? []].flat()];
}

function functionsOf(records: readonly OutputRecord[]): string[] {
  return records.flatMap((record) => {
    if (record.type === 'trace') return record.events.map(({ func }) => func);
    return record.type === 'packet' || record.type === 'latency' ? [record.event.func] : [];
  });
}

const words = (...list: string[]) => new FunctionSet(list);

describe('without a mode', () => {
  it('records stay what they are', () => {
    expect(shown({}, ...RECORDS)).toEqual(RECORDS);
  });

  it('only traces that took so long are shown', () => {
    expect(shown({ minLatency: 51 }, TRACE)).toEqual([]);
    expect(shown({ minLatency: 49 }, TRACE)).toEqual([TRACE]);
  });
});

describe('--basic', () => {
  it('shows each event by itself, as the packet was there', () => {
    const records = shown({ mode: 'basic' }, TRACE);
    expect(functionsOf(records)).toEqual([
      'ip_rcv',
      'nf_nat_manip_pkt',
      'tcp_v4_rcv',
      'kfree_skb',
      'packet_rcv',
      'consume_skb',
    ]);
    expect(records[1]).toEqual({
      v: 1,
      type: 'packet',
      mode: 'basic',
      skbAddress: TRACE.skbs[0],
      proto: 'tcp',
      tuple: OTHER,
      date: '2026-03-01T12:00:00.000120Z',
      event: { ...at(20, TRACE.events[2]), skb: 0, tuple: undefined },
    });
    expect(records[4]).toMatchObject({ skbAddress: TRACE.skbs[1], tuple: TRACE.tuple });
  });

  it('asks filters about the bytes that the packet had at each event, and shows those that were recorded there', () => {
    const [first, second] = ['45aa', '45bb'].map((hex) => ({ link: 'raw', hex, length: 2 }) as const);
    const trace = skbTrace({
      events: [
        at(0, { func: '__tcp_transmit_skb', fromSocket: true }),
        at(1, { func: '__ip_local_out', bytes: first! }),
        at(2, { func: 'ip_output' }),
        at(3, { func: 'skb_clone', skb: 1, parent: 0 }),
        at(4, { func: 'nf_nat_manip_pkt', tuple: OTHER }),
        at(5, { func: '__dev_queue_xmit', bytes: second!, tuple: OTHER }),
        at(6, { func: 'packet_rcv', skb: 1 }),
        at(7, { func: 'dev_hard_start_xmit', tuple: OTHER }),
      ],
    });
    const asked: (string | undefined)[] = [];
    const matches = (record: OutputRecord) => {
      if (record.type === 'packet') asked.push(record.event.bytes?.hex);
      return true;
    };
    const records = shown({ mode: 'basic', matches }, trace) as PacketEvent[];
    expect(asked).toEqual([undefined, '45aa', '45aa', undefined, '45bb', undefined, '45bb']);
    expect(records.map(({ event }) => event.bytes?.hex)).toEqual([
      undefined,
      '45aa',
      ...[undefined, undefined],
      '45bb',
      ...[undefined, undefined],
    ]);
  });

  it('puts them into the order of their times', () => {
    const mixed = { ...TRACE, events: [...TRACE.events].reverse() };
    expect(functionsOf(shown({ mode: 'basic' }, mixed))).toEqual(functionsOf(shown({ mode: 'basic' }, TRACE)));
  });

  it('asks the filter of each event', () => {
    const matches = (record: OutputRecord) => record.type === 'packet' && record.tuple?.saddr === OTHER.saddr;
    expect(functionsOf(shown({ mode: 'basic', matches }, TRACE))).toEqual(['nf_nat_manip_pkt']);
  });

  it('leaves dates alone that are none, and skbs that are not there', () => {
    const strange = { ...TRACE, date: 'yesterday', skbs: [] };
    expect(shown({ mode: 'basic' }, strange)[1]).toMatchObject({ date: 'yesterday' });
    expect(shown({ mode: 'basic' }, strange)[1]).not.toHaveProperty('skbAddress');
  });
});

describe('--drop', () => {
  it('shows drops, and frees that are no loss only with --drop-all', () => {
    expect(functionsOf(shown({ mode: 'drop' }, TRACE, HARMLESS))).toEqual(['kfree_skb']);
    expect(shown({ mode: 'drop', dropAll: true }, TRACE, HARMLESS)).toHaveLength(2);
  });

  it('shows call stacks where they are asked for', () => {
    const [plain] = shown({ mode: 'drop', details: { stacks: 'none' } }, TRACE);
    expect(plain).not.toHaveProperty('event.stack');
    const [withStack] = shown({ mode: 'drop', details: { stacks: words('kfree_skb') } }, TRACE);
    expect(withStack).toHaveProperty('event.stack', STACK);
  });

  it('takes packet events that are drops', () => {
    const packets = shown({ mode: 'basic' }, TRACE);
    expect(shown({ mode: 'drop' }, ...packets)).toEqual(shown({ mode: 'drop' }, TRACE));
  });
});

describe('--monitor', () => {
  it('shows events with a warning or an error', () => {
    expect(functionsOf(shown({ mode: 'monitor' }, TRACE, HARMLESS))).toEqual(['tcp_v4_rcv', 'kfree_skb']);
    expect(functionsOf(shown({ mode: 'monitor', dropAll: true }, HARMLESS))).toEqual(['kfree_skb']);
  });

  it('takes what was recorded as abnormal', () => {
    const sockets: OutputRecord[] = [SOCKET, { ...SOCKET, mode: 'monitor' }];
    expect(shown({ mode: 'monitor' }, ...sockets)).toEqual([sockets[1]]);
  });
});

describe('--latency', () => {
  it('shows the time to the last function before the free', () => {
    expect(shown({ mode: 'latency' }, TRACE)).toEqual([
      expect.objectContaining({ type: 'latency', from: 'ip_rcv', to: 'packet_rcv', latencyUs: 50 }),
    ]);
  });

  it('shows the time to the free with --latency-free, or to where packets end', () => {
    expect(shown({ mode: 'latency', latencyFree: true }, TRACE)[0]).toMatchObject({
      to: 'consume_skb',
      latencyUs: 1000,
    });
    const events = { begin: words('netfilter'), end: words('tcp_v4_rcv') };
    expect(shown({ mode: 'latency', events }, TRACE)[0]).toMatchObject({
      from: 'nf_nat_manip_pkt',
      to: 'tcp_v4_rcv',
      latencyUs: 10,
    });
    expect(shown({ mode: 'latency', events: { end: words('ip_forward') } }, TRACE)).toEqual([]);
  });

  it('leaves out what was seen at one place only, and what was faster than --min-latency', () => {
    expect(shown({ mode: 'latency' }, skbTrace({ events: [at(0)] }), skbTrace())).toEqual([]);
    expect(shown({ mode: 'latency', minLatency: 51 }, TRACE)).toEqual([]);
  });
});

describe('distributions', () => {
  it('--latency-summary counts latencies into the buckets of live traces', () => {
    const [histogram] = shown({ mode: 'latency-summary' }, TRACE, HARMLESS) as Histogram[];
    expect(histogram).toMatchObject({
      type: 'histogram',
      name: 'latency',
      total: 2,
      date: expect.stringMatching(/Z$/),
    });
    expect(histogram?.buckets.filter(({ count }) => count > 0)).toEqual([
      { low: 4, high: 8, count: 1 },
      { low: 32, high: 64, count: 1 },
    ]);
  });

  it('--rtt counts smoothed round-trip times, not below --filter-srtt and --filter-minrtt', () => {
    expect(shown({ mode: 'rtt' }, SOCKET, TRACE)).toEqual([expect.objectContaining({ name: 'rtt', total: 1 })]);
    for (const least of [{ minSrtt: 121 }, { minRtt: 81 }])
      expect(shown({ mode: 'rtt', ...least }, SOCKET)).toEqual([expect.objectContaining({ total: 0, buckets: [] })]);
  });

  it('that were recorded are shown as they are', () => {
    const [recorded] = RECORDS.filter(({ type }) => type === 'histogram');
    expect(shown({ mode: 'rtt' }, recorded!)).toEqual([recorded]);
    expect(shown({ mode: 'latency-summary' }, recorded!)).toEqual([expect.objectContaining({ total: 0 })]);
  });

  it('count each time once, in a bucket that holds it', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 2 ** 38 })), (times) => {
        const sockets = times.map((us): SocketEvent => ({ ...SOCKET, rtt: { us, minUs: 0 } }));
        const [histogram] = shown({ mode: 'rtt' }, ...sockets) as Histogram[];
        expect(histogram?.total).toBe(times.length);
        for (const { low, high, count } of histogram?.buckets ?? [])
          expect(count).toBe(times.filter((us) => us >= low && us < high).length);
      }),
    );
  });
});

describe('--func-stats', () => {
  it('counts all functions, the most frequent first', () => {
    const [stats] = shown({ mode: 'func-stats' }, TRACE, HARMLESS);
    expect(stats).toMatchObject({ type: 'functions', t: expect.closeTo(START, 2) });
    const { functions } = stats as Extract<OutputRecord, { type: 'functions' }>;
    expect(functions.slice(0, 3)).toEqual([
      { func: 'ip_rcv', stage: 'ip-in', hits: 2 },
      { func: 'kfree_skb', stage: 'life', hits: 2 },
      { func: 'consume_skb', stage: 'life', hits: 1 },
    ]);
    expect(functions).toHaveLength(7);
  });

  it('keeps a bounded number of names', () => {
    const many = Array.from({ length: 10_100 }, (_, i) => at(i, { func: `f${i}` }));
    const [stats] = shown({ mode: 'func-stats' }, skbTrace({ events: [...many, at(0, { func: 'x'.repeat(600) })] }));
    const { functions } = stats as Extract<OutputRecord, { type: 'functions' }>;
    expect(functions[0]).toEqual({ func: '(others)', stage: 'other', hits: 101 });
    expect(functions).toHaveLength(10_001);
  });
});

describe('--sock and --rtt-detail', () => {
  it('show the events of sockets that are there', () => {
    const { rtt: _rtt, ...plain } = SOCKET;
    expect(shown({ mode: 'sock' }, TRACE, SOCKET, plain)).toEqual([SOCKET, plain]);
    expect(shown({ mode: 'rtt-detail' }, TRACE, SOCKET, plain)).toEqual([SOCKET]);
  });
});

describe('functions', () => {
  const cut = (events: Wanted['events']) => shown({ events: events! }, TRACE) as SkbTrace[];

  it('-t shows these, with the frees and clones of their packets', () => {
    expect(functionsOf(cut({ only: words('tcp-in') }))).toEqual([
      'skb_clone',
      'tcp_v4_rcv',
      'kfree_skb',
      'consume_skb',
    ]);
    expect(cut({ only: words('ip_forward') })).toEqual([]);
    expect(functionsOf(shown({ mode: 'basic', events: { only: words('tcp-in') } }, TRACE))).toEqual(['tcp_v4_rcv']);
  });

  it('--trace-exclude hides these', () => {
    expect(functionsOf(cut({ without: words('life', 'nf', 'packet_*') }))).toEqual(['ip_rcv', 'tcp_v4_rcv']);
  });

  it('--trace-matcher begins there, with times of its own', () => {
    const [trace] = cut({ begin: words('tcp_v4_rcv') });
    expect(functionsOf([trace!])).toEqual(['tcp_v4_rcv', 'kfree_skb']);
    expect(trace).toMatchObject({ start: START + 30e-6, date: '2026-03-01T12:00:00.000130Z', durationUs: 10 });
  });

  it('--trace-free ends each skb there', () => {
    expect(functionsOf(cut({ end: words('packet_rcv', 'tcp_v4_rcv') }))).toEqual([
      'ip_rcv',
      'skb_clone',
      'nf_nat_manip_pkt',
      'tcp_v4_rcv',
      'packet_rcv',
    ]);
  });

  it('--trace-noclone leaves clones out', () => {
    expect(functionsOf(cut({ noClones: true }))).toEqual(['ip_rcv', 'nf_nat_manip_pkt', 'tcp_v4_rcv', 'kfree_skb']);
  });

  it('that neither the table nor the file knows are told at the end', () => {
    const one = converter({ events: { only: words('packet_rcv', 'no_such'), without: words('no_such_*') } });
    [...one.convert(structuredClone(TRACE))];
    expect(() => one.checkFunctions()).toThrow("unknown function or group 'no_such': nothing that was read has it");
    const known = converter({ events: { only: words('nf_nat_manip_pkt', 'tcp_v4_rcv') } });
    [...known.convert(structuredClone(TRACE))];
    expect(() => known.checkFunctions()).not.toThrow();
  });

  it('that cannot be functions are told at once', () => {
    expect(() => words('no such')).toThrow("unknown function or group 'no such'");
  });
});

describe('--hooks', () => {
  it('shows hook functions that were recorded', () => {
    const netfilter = { hook: 'INPUT', hooks: [{ name: 'nft_do_chain' }] };
    const trace = skbTrace({ events: [at(0, { netfilter })] });
    expect(shown({}, trace)).toEqual([trace]);
    expect(shown({ details: { hooks: false } }, trace)[0]).toHaveProperty('events.0.netfilter', { hook: 'INPUT' });
  });
});
