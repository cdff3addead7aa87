import { BlockList } from 'node:net';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatIpv4, formatIpv6, parseAddress } from '../../../src/decode/addresses.js';
import type { GeneratedFilter } from '../../../src/filter/compile-filters.js';
import { FilterConfig, FilterNet, FilterRange, TraceConfig, TraceMode } from '../../../src/generated/layout.js';
import { type ConfigInput, writeConfig } from '../../../src/load/config-data.js';
import { MODES } from '../../../src/modes.js';
import { LIMITS, parseFilter, type TraceOptions } from '../../../src/options.js';

/** The bytes of the read-only data for these options, and a view on them. */
function config(options: TraceOptions, { room = 0, ...more }: Partial<ConfigInput> & { room?: number } = {}) {
  const bytes = new Uint8Array(TraceConfig.size + room);
  writeConfig(bytes, {
    filter: parseFilter(options),
    netns: 0,
    wantMeta: false,
    wantBytes: false,
    multiFollows: false,
    fixedModuleTypes: false,
    mode: options.mode ?? 'life',
    wantOwner: false,
    wantHooks: false,
    latencyFree: false,
    rateLimit: 0,
    sample: { oneOf: 1, adaptive: false },
    minLatency: 0,
    minSrtt: 0,
    minRtt: 0,
    ...more,
  });
  const view = new DataView(bytes.buffer);
  return {
    bytes,
    view,
    /** A u32 of what is no filter. */
    option: (offset: number) => view.getUint32(offset, true),
    /** A u32 of the filter. */
    field: (offset: number) => view.getUint32(TraceConfig.filter + offset, true),
    slice: (offset: number, length: number) =>
      bytes.slice(TraceConfig.filter + offset, TraceConfig.filter + offset + length),
  };
}

/** Does the kernel side's test (address & mask == addr, of the same family) take this address? */
function matches(net: Uint8Array, address: string): boolean {
  const bytes = parseAddress(address)!;
  const l3Proto = new DataView(net.buffer, net.byteOffset).getUint32(FilterNet.l3Proto, true);
  if (l3Proto !== (bytes.length === 4 ? 0x0800 : 0x86dd)) return false;
  return bytes.every((byte, i) => (byte & net[FilterNet.mask + i]!) === net[FilterNet.addr + i]);
}

describe('the configuration', () => {
  it('of no options is all zero', () => {
    expect(config({}).bytes).toEqual(new Uint8Array(TraceConfig.size));
  });

  it('leaves alone what follows it', () => {
    const { bytes } = config({ addr: ['10.0.0.1'], ifname: 'a'.repeat(15) }, { room: 8 });
    expect(bytes.slice(TraceConfig.size)).toEqual(new Uint8Array(8));
  });

  it('says whether details are wanted, and of which netns', () => {
    const { view, field } = config({}, { netns: 4026531840, wantMeta: true });
    expect(view.getUint32(TraceConfig.wantMeta, true)).toBe(1);
    expect(field(FilterConfig.netns)).toBe(4026531840);
    expect(field(FilterConfig.netnsListed)).toBe(0);
  });

  it('leaves a list of namespaces to the map that user space fills', () => {
    const { option, field } = config({}, { netns: [] });
    expect(field(FilterConfig.netns)).toBe(0);
    expect(field(FilterConfig.netnsListed)).toBe(1);
    expect(option(TraceConfig.hasFilter)).toBe(1);
  });

  it.each([
    ['life', TraceMode.life],
    ['basic', TraceMode.events],
    ['drop', TraceMode.events],
    ['monitor', TraceMode.events],
    ['sock', TraceMode.events],
    ['rtt', TraceMode.events],
    ['rtt-detail', TraceMode.events],
    ['latency', TraceMode.latency],
    ['latency-summary', TraceMode.latency],
    ['func-stats', TraceMode.stats],
  ] as const)('of mode %s is of kind %i for the kernel side', (mode, kind) => {
    expect(config({ mode }).option(TraceConfig.mode)).toBe(kind);
  });

  it('counts a distribution, and picks what is abnormal, in the modes that show it and in no other', () => {
    const modesWith = (offset: number) => MODES.filter((mode) => config({ mode }).option(offset) === 1);
    expect(modesWith(TraceConfig.wantHistogram)).toEqual(['rtt', 'latency-summary']);
    expect(modesWith(TraceConfig.onlyAbnormal)).toEqual(['monitor']);
  });

  it.each([
    ['wantOwner', TraceConfig.wantOwner],
    ['wantHooks', TraceConfig.wantHooks],
    ['latencyFree', TraceConfig.latencyToFree],
    ['wantMeta', TraceConfig.wantMeta],
    ['wantBytes', TraceConfig.wantBytes],
    ['fixedModuleTypes', TraceConfig.fixedModuleTypes],
  ] as const)('says %s by one number, and nothing else', (name, offset) => {
    const { option, bytes } = config({}, { [name]: true });
    expect(option(offset)).toBe(1);
    expect(bytes.filter((b) => b !== 0)).toHaveLength(1);
  });

  it('holds the limits: events a second, microseconds, nanoseconds', () => {
    const { option, view } = config({}, { rateLimit: 2 ** 31 - 1, minSrtt: 1500, minRtt: 250, minLatency: 2147483.5 });
    expect(option(TraceConfig.rateLimit)).toBe(2 ** 31 - 1);
    expect([option(TraceConfig.minSrttUs), option(TraceConfig.minRttUs)]).toEqual([1500, 250]);
    expect(view.getBigUint64(TraceConfig.minLatencyNs, true)).toBe(2_147_483_500n);
    expect(option(TraceConfig.hasFilter)).toBe(0);
  });

  it('holds what is not sampled, of all hashes, and whether the level of the ring buffer counts', () => {
    const sampled = (oneOf: number, adaptive: boolean) => {
      const { option } = config({}, { sample: { oneOf, adaptive } });
      return [option(TraceConfig.sampleWithout), option(TraceConfig.sampleAdaptive)];
    };
    expect(sampled(1, true)).toEqual([0, 1]);
    expect(sampled(1, false)).toEqual([0, 0]);
    expect(sampled(4, false)).toEqual([3 * 2 ** 30, 0]);
    expect(sampled(1_000_000, false)).toEqual([2 ** 32 - 4294, 0]);
  });

  it('says that there is a filter for each option that asks something of packets, and for none besides', () => {
    const has = (options: TraceOptions, more: Partial<ConfigInput> = {}) =>
      config(options, more).option(TraceConfig.hasFilter) === 1;
    for (const options of [
      { saddr: ['10.0.0.1'] },
      { port: [80] },
      { proto: 'tcp' },
      { tcpFlags: ['S'] },
      { pktLen: '100' },
      { ifname: 'lo' },
      { pid: 1 },
      { comm: 'nginx' },
    ] satisfies TraceOptions[]) {
      expect(has(options), JSON.stringify(options)).toBe(true);
    }
    const generated: GeneratedFilter = { body: new Uint8Array(8), wanted: 1, expressionWindow: 64, tunnelWindow: 0 };
    expect(has({}, { netns: 1 })).toBe(true);
    expect(has({}, { generated })).toBe(true);
    expect(has({ saddr: [], count: 3, trace: ['ip_rcv'], minLatency: 5 })).toBe(false);
  });

  it('holds the name of a process, all 15 bytes of it', () => {
    const { field, slice } = config({ comm: 'a'.repeat(15) });
    expect(field(FilterConfig.hasComm)).toBe(1);
    expect(Buffer.from(slice(FilterConfig.comm, 16)).toString()).toBe(`${'a'.repeat(15)}\0`);
  });

  it.each([
    ['tcp', 0, 6],
    ['udp', 0, 17],
    ['icmp', 0x0800, 1],
    ['icmpv6', 0x86dd, 58],
    ['arp', 0x0806, 0],
    ['ip', 0x0800, 0],
    ['ipv6', 0x86dd, 0],
    ['sctp', 0, 132],
    [253, 0, 253],
  ] as const)('of %s asks for ethertype %i and protocol %i', (proto, l3, l4) => {
    const { field } = config({ proto });
    expect([field(FilterConfig.l3Proto), field(FilterConfig.l4Proto)]).toEqual([l3, l4]);
  });

  it('holds pid, length and interface', () => {
    const { field, slice } = config({ pid: 4711, pktLen: '100-4294967295', ifname: 'eth0' });
    expect(field(FilterConfig.pid)).toBe(4711);
    expect([field(FilterConfig.lenLow), field(FilterConfig.lenHigh)]).toEqual([100, 4294967295]);
    expect(field(FilterConfig.hasIfname)).toBe(1);
    expect(Buffer.from(slice(FilterConfig.ifname, 16)).toString()).toBe('eth0'.padEnd(16, '\0'));
  });

  it('takes no length that is not known for a short one', () => {
    const { field } = config({ pktLen: '0-100' });
    expect([field(FilterConfig.lenLow), field(FilterConfig.lenHigh)]).toEqual([1, 100]);
  });

  it('holds the sets of flags', () => {
    const { field, slice } = config({ tcpFlags: ['SA', 'R'] });
    expect(field(FilterConfig.flagsCount)).toBe(2);
    expect([...slice(FilterConfig.flags, LIMITS.flagSets)]).toEqual([0x12, 0x04, 0, 0, 0, 0, 0, 0]);
  });

  it.each([
    ['sport', FilterConfig.sportCount, FilterConfig.sport],
    ['dport', FilterConfig.dportCount, FilterConfig.dport],
    ['port', FilterConfig.portCount, FilterConfig.port],
  ] as const)('holds the ranges of %s', (option, count, start) => {
    const { field, view, bytes } = config({ [option]: ['80', '8000-65535'] });
    expect(field(count)).toBe(2);
    const at = (i: number, offset: number) =>
      view.getUint16(TraceConfig.filter + start + i * FilterRange.size + offset, true);
    expect([at(0, FilterRange.low), at(0, FilterRange.high)]).toEqual([80, 80]);
    expect([at(1, FilterRange.low), at(1, FilterRange.high)]).toEqual([8000, 65535]);
    // that there is a filter, the count, 80, 80, 8000 (two bytes), 65535 (two)
    expect(bytes.filter((b) => b !== 0)).toHaveLength(1 + 1 + 2 + 2 + 2);
  });

  it('has room for as many addresses and ports as the options take', () => {
    const nets = Array.from({ length: LIMITS.nets }, () => '255.255.255.255');
    const ports = Array.from({ length: LIMITS.portRanges }, () => 65535);
    const { field, slice } = config({ saddr: nets, daddr: nets, addr: nets, sport: ports, dport: ports, port: ports });
    for (const [count, start] of [
      [FilterConfig.saddrCount, FilterConfig.saddr],
      [FilterConfig.daddrCount, FilterConfig.daddr],
      [FilterConfig.addrCount, FilterConfig.addr],
    ] as const) {
      expect(field(count)).toBe(LIMITS.nets);
      for (let i = 0; i < LIMITS.nets; i++) {
        expect(matches(slice(start + i * FilterNet.size, FilterNet.size), '255.255.255.255')).toBe(true);
      }
    }
    for (const start of [FilterConfig.sport, FilterConfig.dport, FilterConfig.port]) {
      const ranges = slice(start, LIMITS.portRanges * FilterRange.size);
      expect(ranges).toEqual(new Uint8Array(ranges.length).fill(0xff));
    }
    expect(FilterConfig.flags - FilterConfig.port).toBe(LIMITS.portRanges * FilterRange.size);
    expect(FilterConfig.size - FilterConfig.flags).toBe(LIMITS.flagSets);
  });
});

describe('a network in the configuration', () => {
  const net = (text: string) => config({ addr: [text] }).slice(FilterConfig.addr, FilterNet.size);

  it('is masked: host bits do not matter', () => {
    expect(net('10.1.2.3/8')).toEqual(net('10.0.0.0/8'));
    expect([...net('10.1.2.3/12').slice(FilterNet.mask, FilterNet.mask + 4)]).toEqual([0xff, 0xf0, 0, 0]);
  });

  it('of prefix 0 is all of its family and nothing of the other', () => {
    expect(matches(net('0.0.0.0/0'), '8.8.8.8')).toBe(true);
    expect(matches(net('0.0.0.0/0'), '2001:db8::1')).toBe(false);
    expect(matches(net('::/0'), '2001:db8::1')).toBe(true);
    expect(matches(net('::/0'), '8.8.8.8')).toBe(false);
  });

  it.each([
    ['ipv4', 4, 32, formatIpv4],
    ['ipv6', 16, 128, formatIpv6],
  ] as const)('of %s takes what a block list of Node takes', (family, length, bits, format) => {
    const bytes = fc.uint8Array({ minLength: length, maxLength: length });
    // differs from the network in one bit, so that both answers come up
    const near = fc.tuple(bytes, fc.integer({ min: 0, max: bits }), fc.integer({ min: 0, max: bits - 1 }));
    fc.assert(
      fc.property(near, ([address, prefix, flipped]) => {
        const other = address.slice();
        other[flipped >> 3]! ^= 0x80 >> (flipped & 7);
        const list = new BlockList();
        const asV6 = family === 'ipv6';
        if (prefix > 0) list.addSubnet(format(address), prefix, family);
        const text = format(other);
        fc.pre(!(asV6 && text.startsWith('::ffff:'))); // Node takes those for IPv4
        expect(matches(net(`${format(address)}/${prefix}`), text)).toBe(prefix === 0 || list.check(text, family));
      }),
      { numRuns: 300 },
    );
  });
});
