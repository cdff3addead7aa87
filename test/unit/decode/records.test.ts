import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatIpv4, formatIpv6 } from '../../../src/decode/addresses.js';
import { RecordDecoder, recordLength } from '../../../src/decode/records.js';
import {
  EventBytes,
  EventHead,
  EventHooks,
  EventKind,
  EventLatency,
  EventOptions,
  EventSection,
  EventStack,
} from '../../../src/generated/layout.js';
import {
  batch,
  decode,
  ETH_P_IP,
  ETH_P_IPV6,
  eventOf,
  type RecordInput,
  record,
  tcpPacket,
} from '../../support/records.js';

const PROBES = 16;
const ALL_SECTIONS = Object.values(EventSection).reduce((all: number, bit) => all | bit, 0);

const u8 = fc.integer({ min: 0, max: 0xff });
const u16 = fc.integer({ min: 0, max: 0xffff });
const u32 = fc.integer({ min: 0, max: 0xffffffff });
const u64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
const ascii = (max: number) => fc.string({ unit: fc.constantFrom(...'abcxyz019-_. '), maxLength: max });
const maybe = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined });

const packetInput = fc.integer({ min: 0, max: 1 }).chain((six) =>
  fc.record({
    saddr: fc.array(u8, { minLength: six ? 16 : 4, maxLength: six ? 16 : 4 }),
    daddr: fc.array(u8, { minLength: six ? 16 : 4, maxLength: six ? 16 : 4 }),
    l3Proto: fc.constant(six ? ETH_P_IPV6 : ETH_P_IP),
    l4Proto: u8,
    tcpFlags: u8,
    sport: u16,
    dport: u16,
    seq: u32,
    ack: u32,
    window: u16,
    ipId: u16,
    icmpType: u8,
    icmpCode: u8,
    arpOp: u16,
    payload: u32,
    pktLen: u32,
  }),
);

/** Handles of nftables have 42 bits. */
const RULE = fc.record({
  handle: fc.integer({ min: 1, max: 2 ** 42 - 1 }),
  verdict: fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
});
const probeId = fc.integer({ min: 0, max: PROBES - 1 });
const STACK_ROOM = (EventStack.size - EventStack.address) / 8;
const BYTES_ROOM = EventBytes.captured - EventBytes.bytes;
const HOOKS_ROOM = (EventHooks.size - EventHooks.address) / 8;

const head = {
  time: u64,
  traceId: u64,
  skb: u64,
  related: u64,
  probe: probeId,
  kind: fc.constantFrom(...Object.values(EventKind)),
  flags: u8,
  cpu: u32,
  skbLen: u32,
};

/** Whatever the kernel side can write. */
const validInput = fc.record(
  {
    ...head,
    packet: packetInput,
    meta: fc.record({
      ifname: ascii(15),
      comm: ascii(15),
      ifindex: u32,
      netns: u32,
      pid: u32,
      mark: u32,
      ownerComm: ascii(15),
      ownerPid: u32,
    }),
    options: fc.array(u8, { minLength: 1, maxLength: 40 }),
    drop: fc.record({ location: u64, reason: maybe(u32) }),
    netfilter: fc.record({
      family: u8,
      hook: u8,
      hasState: fc.boolean(),
      table: ascii(63),
      chain: ascii(63),
      rule: maybe(RULE),
    }),
    socket: fc.record({ state: u32, newState: u32, resetReason: maybe(u32), requestLeft: maybe(fc.boolean()) }),
    ret: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
    sock: fc.record({
      state: u32,
      caState: u32,
      packetsOut: u32,
      retransOut: u32,
      unacked: u32,
      wmem: u32,
      rmem: u32,
      timer: u32,
      timerLeft: fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
      acceptQueue: u32,
      acceptLimit: u32,
      srttUs: u32,
      rttMinUs: u32,
      newState: u32,
      isTcp: fc.boolean(),
      synQueue: u32,
      synLimit: u32,
      syncookies: u32,
    }),
    tcp: fc.record({
      tsRecent: u32,
      tsRecentAge: u32,
      rcvNxt: u32,
      windowStart: u32,
      windowEnd: u32,
      copiedSeq: u32,
    }),
    stack: fc.array(u64, { maxLength: STACK_ROOM }),
    hooks: fc.array(u64, { maxLength: HOOKS_ROOM }),
    latency: fc.record({ from: u64, to: u64, fromProbe: probeId, toProbe: probeId }),
  },
  { requiredKeys: Object.keys(head) as (keyof typeof head)[] },
);

/** The event that must come of it. */
function expected(input: RecordInput): unknown {
  const { packet, options, latency, ...rest } = input;
  const address = (bytes: readonly number[] = []) =>
    bytes.length === 16 ? formatIpv6(Uint8Array.from(bytes)) : formatIpv4(Uint8Array.from(bytes));
  return {
    packet: packet && { ...packet, saddr: address(packet.saddr), daddr: address(packet.daddr) },
    options: options && Uint8Array.from(options),
    meta: undefined,
    drop: undefined,
    netfilter: undefined,
    socket: undefined,
    ret: undefined,
    sock: undefined,
    stack: undefined,
    hooks: undefined,
    latency: latency && { ...latency, from: Number(latency.from), to: Number(latency.to) },
    ...rest,
    time: Number(input.time),
  };
}

function setUint32(bytes: Uint8Array, at: number, value: number): Uint8Array {
  const changed = bytes.slice();
  new DataView(changed.buffer).setUint32(at, value, true);
  return changed;
}

function setByte(bytes: Uint8Array, at: number, value: number): Uint8Array {
  const changed = bytes.slice();
  changed[at] = value;
  return changed;
}

const sectionsOf = (bytes: Uint8Array) => new DataView(bytes.buffer).getUint32(EventHead.sections, true);

/** All ways in which one record can be wrong while its neighbours are whole. */
const malformedRecord: fc.Arbitrary<Uint8Array> = validInput.chain((input) => {
  const good = record(input);
  const withOptions = record({ ...input, options: [1, 1] });
  const optionsAt = recordLength(sectionsOf(withOptions) & (EventSection.packet | EventSection.meta));
  const withLatency = record({ ...input, latency: {} });
  const latencyAt = recordLength(sectionsOf(withLatency) & ~EventSection.tcp) - EventLatency.size;
  return fc.oneof(
    fc.integer({ min: 0, max: good.length - 1 }).map((length) => good.slice(0, length)),
    fc.integer({ min: 1, max: 200 }).map((more) => Uint8Array.from([...good, ...new Uint8Array(more)])),
    fc
      .integer({ min: Object.keys(EventSection).length, max: 31 })
      .map((bit) => setUint32(good, EventHead.sections, (sectionsOf(good) | (2 ** bit)) >>> 0)),
    fc
      .constantFrom(...Object.values(EventSection))
      .map((bit) => setUint32(good, EventHead.sections, sectionsOf(good) ^ bit)),
    fc
      .integer({ min: Math.max(...Object.values(EventKind)) + 1, max: 255 })
      .map((kind) => setByte(good, EventHead.kind, kind)),
    fc
      .integer({ min: PROBES, max: 0xffff })
      .map((probe) => setByte(setByte(good, EventHead.probe, probe & 0xff), EventHead.probe + 1, probe >> 8)),
    fc
      .integer({ min: 41, max: 0xffffffff })
      .map((length) => setUint32(withOptions, optionsAt + EventOptions.length, length)),
    fc
      .tuple(fc.constantFrom(EventLatency.from, EventLatency.to), fc.integer({ min: PROBES, max: 0xffffffff }))
      .map(([field, probe]) => setUint32(withLatency, latencyAt + field, probe)),
  );
});

describe('a record', () => {
  it('is read back as it was written, with any set of sections', () => {
    fc.assert(
      fc.property(validInput, (input) => {
        const { events, malformed } = decode(batch([record(input)]), PROBES);
        expect(malformed).toBe(0);
        expect(events).toEqual([expected(input)]);
      }),
      { numRuns: 500 },
    );
  });

  it('has the length of its head and its sections', () => {
    expect(recordLength(0)).toBe(EventHead.size);
    fc.assert(fc.property(validInput, (input) => recordLength(sectionsOf(record(input))) === record(input).length));
  });

  it('with all sections is 1088 bytes, each section on a multiple of 8', () => {
    expect(recordLength(ALL_SECTIONS)).toBe(1088);
    for (const bit of Object.values(EventSection)) expect(recordLength(bit) % 8).toBe(0);
  });

  it('keeps a name that fills its field to the last byte', () => {
    const { meta } = eventOf({ meta: { ifname: 'a'.repeat(16), comm: 'b'.repeat(16), ifindex: 7 } });
    expect(meta).toMatchObject({ ifname: 'a'.repeat(16), comm: 'b'.repeat(16), ifindex: 7 });
  });

  it('keeps chain and table names apart when both fill their fields', () => {
    const { netfilter } = eventOf({ netfilter: { table: 't'.repeat(64), chain: 'c'.repeat(64) } });
    expect(netfilter).toMatchObject({ table: 't'.repeat(64), chain: 'c'.repeat(64) });
  });

  it('says no reason where the kernel gave none, and reason 0 where it gave 0', () => {
    expect(eventOf({ drop: { location: 1n } }).drop?.reason).toBeUndefined();
    expect(eventOf({ drop: { location: 1n, reason: 0 } }).drop?.reason).toBe(0);
  });

  it('tells a return value of -1 from one of 2^64-1 by nothing: it is the register, signed', () => {
    expect(eventOf({ ret: -1n }).ret).toBe(-1n);
  });

  it('keeps as many addresses as there is room for, however many it claims to have', () => {
    const stack = Array.from({ length: STACK_ROOM }, (_, i) => 0xffffffff81000000n + BigInt(i));
    const hooks = Array.from({ length: HOOKS_ROOM }, (_, i) => 0xffffffffc0000000n + BigInt(i));
    const bytes = record({ stack, hooks });
    const lying = [EventHead.size + EventStack.count, EventHead.size + EventStack.size + EventHooks.count].reduce(
      (changed, at) => setUint32(changed, at, 0xffffffff),
      bytes,
    );
    expect(decode(batch([lying])).events).toMatchObject([{ stack, hooks }]);
    expect(eventOf({ stack: [] }).stack).toEqual([]);
    expect(eventOf({}).stack).toBeUndefined();
  });

  it('keeps bytes of the packet, as many as were captured', () => {
    const bytes = { bytes: Buffer.of(0x45, 0, 0xff), length: 1500, isEthernet: true, isCut: true };
    expect(eventOf({ kind: EventKind.detail, bytes }).bytes).toEqual(bytes);
    const whole = Buffer.alloc(BYTES_ROOM, 7);
    expect(eventOf({ kind: EventKind.detail, bytes: { bytes: whole } }).bytes?.bytes).toEqual(whole);
  });

  it('keeps a timer that is overdue, and a name of an owner that fills its field', () => {
    expect(eventOf({ sock: { timer: 1, timerLeft: -5 } }).sock).toMatchObject({ timer: 1, timerLeft: -5 });
    const { meta } = eventOf({ meta: { ownerComm: 'o'.repeat(16), ownerPid: 4194304 } });
    expect(meta).toMatchObject({ ownerComm: 'o'.repeat(16), ownerPid: 4194304 });
  });

  it('without option bytes has no options', () => {
    expect(eventOf({ options: [] }).options).toBeUndefined();
  });

  it('shows the right addresses when far more than the cache holds go by', () => {
    const decoder = new RecordDecoder(1);
    const seen: string[] = [];
    const hosts = Array.from({ length: 10_000 }, (_, i) => [10, i >> 16, (i >> 8) & 0xff, i & 0xff]);
    const all = [...hosts, ...hosts].map((saddr) => record({ packet: tcpPacket({ saddr }) }));
    decoder.decodeBatch(batch(all), (event) => seen.push(event.packet?.saddr ?? ''));
    expect(seen).toEqual([...hosts, ...hosts].map((bytes) => bytes.join('.')));
  });
});

describe('a malformed record', () => {
  it('costs itself alone: it is counted, and the records around it arrive', () => {
    const slot = fc.oneof(
      validInput.map((input) => ({ bytes: record(input), input: input as RecordInput | undefined })),
      malformedRecord.map((bytes) => ({ bytes, input: undefined })),
    );
    fc.assert(
      fc.property(fc.array(slot, { maxLength: 12 }), (slots) => {
        const { events, malformed } = decode(batch(slots.map((s) => s.bytes)), PROBES);
        const good = slots.flatMap((s) => (s.input ? [expected(s.input)] : []));
        expect(events).toEqual(good);
        expect(malformed).toBe(slots.length - good.length);
      }),
      { numRuns: 500 },
    );
  });

  it.each([
    ['is empty', new Uint8Array()],
    ['is shorter than a head', record().slice(0, EventHead.size - 1)],
    ['lacks its last byte', record({ packet: {} }).slice(0, -1)],
    ['has a byte too many', Uint8Array.from([...record({ packet: {} }), 0])],
    ['names a section that it has not', setUint32(record(), EventHead.sections, EventSection.packet)],
    ['has a section that it does not name', setUint32(record({ ret: 1 }), EventHead.sections, 0)],
    ['names an unknown section', setUint32(record(), EventHead.sections, ALL_SECTIONS + 1)],
    ['names an unknown section in the sign bit', setUint32(record(), EventHead.sections, 0x80000000)],
    ['has an unknown kind', setByte(record(), EventHead.kind, EventKind.detail + 1)],
    ['has bytes of the packet in an event', record({ bytes: {} })],
    [
      'has more bytes of the packet than there is room for',
      setUint32(
        record({ kind: EventKind.detail, bytes: {} }),
        EventHead.size + EventBytes.captured,
        EventBytes.captured - EventBytes.bytes + 1,
      ),
    ],
    ['has the first probe id that is none', record({ probe: PROBES })],
    ['has the largest probe id', record({ probe: 0xffff })],
    [
      'has more option bytes than a TCP header',
      setUint32(record({ options: [1] }), EventHead.size + EventOptions.length, 41),
    ],
  ])('that %s is counted once', (_what, bytes) => {
    const neighbours = [record({ time: 1 }), bytes, record({ time: 2 })];
    const { events, malformed } = decode(batch(neighbours), PROBES);
    expect(malformed).toBe(1);
    expect(events.map((e) => e.time)).toEqual([1, 2]);
  });
});

describe('a batch', () => {
  it('may be empty', () => {
    expect(decode(new ArrayBuffer(0))).toEqual({ events: [], malformed: 0 });
  });

  it('that is cut inside a record counts that one and keeps those before it', () => {
    const whole = new Uint8Array(batch([record({ time: 1 }), record({ time: 2, packet: {} })]));
    const second = 8 + EventHead.size;
    fc.assert(
      fc.property(fc.integer({ min: second + 1, max: whole.length - 1 }), (cut) => {
        const { events, malformed } = decode(whole.slice(0, cut).buffer);
        expect(events.map((e) => e.time)).toEqual([1]);
        expect(malformed).toBe(1);
      }),
    );
  });

  it('whose record claims to reach beyond the end ends there, counted once', () => {
    for (const length of [EventHead.size + 1, 0x7fffffff, 0x80000000, 0xffffffff]) {
      const buffer = batch([record({ time: 1 }), record({ time: 2 })]);
      new DataView(buffer).setUint32(8 + EventHead.size, length, true);
      const { events, malformed } = decode(buffer);
      expect(events.map((e) => e.time)).toEqual([1]);
      expect(malformed).toBe(1);
    }
  });

  /** The lengths of a batch's records by its framing alone, and whether something is left over. */
  function walk(bytes: Uint8Array): { records: number; rest: boolean } {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    let at = 0;
    let records = 0;
    while (bytes.length - at >= 8) {
      const length = view.getUint32(at, true);
      if (length > bytes.length - at - 8) return { records, rest: true };
      records++;
      at += 8 + Math.ceil(length / 8) * 8;
    }
    return { records, rest: at < bytes.length };
  }

  it('of any bytes never makes the decoder throw, and each record in it is either an event or counted', () => {
    // lengths that are small now and then lead the decoder deep into the garbage
    const word = fc.oneof(fc.nat({ max: 64 }), fc.constantFrom(48, 56, 112), u32);
    const words = fc.array(word, { maxLength: 200 }).map((list) => new Uint8Array(Uint32Array.from(list).buffer));
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 500 }), words), (garbage) => {
        const bytes = Uint8Array.from(garbage);
        const { events, malformed } = decode(bytes.buffer, PROBES);
        const { records, rest } = walk(bytes);
        expect(events.length + malformed).toBe(records + (rest ? 1 : 0));
        for (const event of events) expect(event.probe).toBeLessThan(PROBES);
      }),
      { numRuns: 2000 },
    );
  });

  it('with flipped bits never makes the decoder throw', () => {
    fc.assert(
      fc.property(
        fc.array(validInput, { minLength: 1, maxLength: 4 }),
        fc.array(fc.tuple(fc.nat(), u8)),
        (inputs, flips) => {
          const bytes = new Uint8Array(batch(inputs.map(record)));
          for (const [at, bits] of flips) bytes[at % bytes.length]! ^= bits;
          const { events, malformed } = decode(bytes.buffer, PROBES);
          const { records, rest } = walk(bytes);
          expect(events.length + malformed).toBe(records + (rest ? 1 : 0));
        },
      ),
      { numRuns: 500 },
    );
  });

  it('adds to the count of the batches before it', () => {
    const decoder = new RecordDecoder(1);
    for (let i = 0; i < 3; i++) decoder.decodeBatch(batch([record({ probe: 1 })]), () => {});
    expect(decoder.malformed).toBe(3);
  });
});
