import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { UsageError } from '../../../src/errors.js';
import { parseFilter, type TraceOptions } from '../../../src/options.js';
import { recordMatcher } from '../../../src/read/match-filter.js';
import type { OutputRecord, TraceEvent } from '../../../src/types.js';
import { RECORDS } from '../../support/output-records.js';
import { skbTrace, traceEvent } from '../../support/traces.js';

interface Wanted extends Omit<TraceOptions, 'netns'> {
  netns?: number[];
  comm?: string;
}

function matches(record: OutputRecord, { netns, comm, ...options }: Wanted): boolean {
  return recordMatcher({ ...parseFilter(options), netns, comm })(record);
}

const first: Partial<TraceEvent> = {
  ifname: 'eth0',
  netns: 4026531840,
  len: 74,
  pktLen: 60,
  tcp: { seq: 1, ack: 0, flags: 'SA', win: 1, payload: 0 },
  pid: 1,
  comm: 'swapper',
};
const v4 = skbTrace({
  tuple: { saddr: '10.1.2.3', sport: 40000, daddr: '10.200.0.1', dport: 8000 },
  events: [traceEvent(first), traceEvent({ ifname: 'eth1', len: 1400, pktLen: 1400, netns: 7 })],
});
const v6 = skbTrace({
  tuple: { saddr: 'fd00::1', sport: 40000, daddr: 'fd00::2', dport: 8000 },
  events: [traceEvent(first)],
});

describe('a trace', () => {
  it.each<[Wanted, boolean]>([
    [{}, true],
    [{ saddr: ['10.1.2.3'] }, true],
    [{ saddr: ['10.200.0.1'] }, false],
    [{ daddr: ['10.200.0.1'] }, true],
    [{ addr: ['10.200.0.0/16'] }, true],
    [{ addr: ['10.201.0.0/16'] }, false],
    [{ addr: ['10.128.0.0/9'] }, true],
    [{ saddr: ['10.128.0.0/9'] }, false],
    [{ addr: ['0.0.0.0/0'] }, true],
    [{ addr: ['::/0'] }, false],
    [{ addr: ['192.0.2.1', '10.1.2.3'] }, true],
    [{ sport: [40000] }, true],
    [{ dport: [40000] }, false],
    [{ dport: ['7999-8001'] }, true],
    [{ port: [8000] }, true],
    [{ port: [80] }, false],
    [{ proto: 'tcp' }, true],
    [{ proto: 'ip' }, true],
    [{ proto: 'ipv6' }, false],
    [{ proto: 'udp' }, false],
    [{ tcpFlags: ['S'] }, true],
    [{ tcpFlags: ['R', 'SA'] }, true],
    [{ tcpFlags: ['SR'] }, false],
    [{ pktLen: '60' }, true],
    [{ pktLen: '1000-2000' }, false],
    [{ ifname: 'eth0' }, true],
    [{ ifname: 'eth1' }, false],
    [{ netns: [4026531840] }, true],
    [{ netns: [7, 4026531840] }, true],
    [{ netns: [7] }, false],
    [{ netns: [] }, false],
    [{ port: [8000], ifname: 'eth0', tcpFlags: ['A'] }, true],
    [{ port: [8000], ifname: 'eth9' }, false],
  ])('with %j as its first event says: %j', (options, expected) => {
    expect(matches(v4, options)).toBe(expected);
  });

  it('has the length that it had where its headers were written', () => {
    const { pktLen: _, ...unmeasured } = first;
    const segment = traceEvent({ ...unmeasured, len: 20, fromSocket: true });
    const trace = {
      ...v4,
      events: [segment, traceEvent({ ...first, pktLen: 72 }), traceEvent({ ...first, pktLen: 99 })],
    };
    expect(matches(trace, { pktLen: '72' })).toBe(true);
    expect(matches(trace, { pktLen: '0-60' })).toBe(false);
    expect(matches(trace, { pktLen: '99' })).toBe(false);
  });

  it('over IPv6 is matched by its networks', () => {
    expect(matches(v6, { addr: ['fd00::/64'] })).toBe(true);
    expect(matches(v6, { addr: ['fd00:0:0:1::/64'] })).toBe(false);
    expect(matches(v6, { addr: ['0.0.0.0/0'] })).toBe(false);
    expect(matches(v6, { proto: 'ipv6' })).toBe(true);
    expect(matches(v6, { proto: 'ip' })).toBe(false);
  });

  it('is what its first event is, where that differs from the rest', () => {
    const inner = { saddr: '192.168.0.1', sport: 1, daddr: '192.168.0.2', dport: 4789 };
    const tunnel = { ...v4, events: [traceEvent({ proto: 'udp', tuple: inner }), traceEvent(first)] };
    expect(matches(tunnel, { proto: 'udp', port: [4789] })).toBe(true);
    expect(matches(tunnel, { proto: 'tcp' })).toBe(false);
  });

  it('is matched by each place that has bytes, as it was there', () => {
    const outer = { saddr: '192.168.0.1', sport: 1, daddr: '192.168.0.2', dport: 4789 };
    const bytes = { link: 'raw', hex: '45', length: 100 } as const;
    const later = traceEvent({ proto: 'udp', tuple: outer, ifname: 'eth1', netns: 4026531840 });
    const place: Wanted = { proto: 'udp', port: [4789], ifname: 'eth1' };
    expect(matches({ ...v4, events: [traceEvent(first), later] }, place)).toBe(false);
    const sent = { ...v4, events: [traceEvent(first), { ...later, bytes }] };
    expect(matches(sent, place)).toBe(true);
    expect(matches(sent, { proto: 'tcp', ifname: 'eth0' })).toBe(true);
    // all of them at one place
    expect(matches(sent, { proto: 'udp', ifname: 'eth0' })).toBe(false);
  });

  it('is not refused for what one place does not tell, where another matches', () => {
    const [whole, cut] = [traceEvent(), traceEvent()].map((event, i) => {
      event.bytes = { link: 'raw', hex: '45', length: 100, ...(i ? { cut: true } : {}) };
      return event;
    });
    const matcher = recordMatcher({ ...parseFilter({}), netns: undefined }, [
      ({ event }) => {
        if (event?.bytes?.cut) throw new UsageError('not recorded');
        return true;
      },
    ]);
    expect(matcher({ ...v4, events: [cut!, whole!] })).toBe(true);
    expect(() => matcher({ ...v4, events: [cut!, cut!] })).toThrow('not recorded');
  });

  it('of ARP is matched by IPv4 addresses, and by no port', () => {
    const arp = skbTrace({ proto: 'arp', tuple: { saddr: '10.0.0.1', daddr: '10.0.0.2' }, events: [traceEvent()] });
    expect(matches(arp, { addr: ['10.0.0.2'] })).toBe(true);
    expect(matches(arp, { port: [80] })).toBe(false);
    expect(matches(arp, { proto: 'arp' })).toBe(true);
    expect(matches(arp, { proto: 'ip' })).toBe(false);
  });

  it('of a protocol without ports is matched by its number or name', () => {
    const [first, ...rest] = v4.events;
    const sctp = skbTrace({ proto: 'ip', events: [{ ...first!, ipProtocol: 132 }, ...rest] });
    for (const proto of ['sctp', 132, 'ip'] as const) expect(matches(sctp, { proto }), String(proto)).toBe(true);
    for (const proto of ['gre', 253, 'tcp'] as const) expect(matches(sctp, { proto }), String(proto)).toBe(false);
    expect(matches(skbTrace({ proto: 'tcp' }), { proto: 6 })).toBe(true);
    expect(matches(skbTrace({ proto: 'ip' }), { proto: 'sctp' })).toBe(false);
  });

  it('of a later fragment, which has no ports, is never matched by one', () => {
    const fragment = skbTrace({ proto: 'udp', tuple: { saddr: '10.0.0.1', sport: 0, daddr: '10.0.0.2', dport: 0 } });
    expect(matches(fragment, { port: ['0-65535'] })).toBe(false);
  });

  it("belongs to its socket's owner, at whichever event that is known", () => {
    const owned = { ...v4, events: [traceEvent(first), traceEvent({ owner: { pid: 77, comm: 'nginx' } })] };
    expect(matches(owned, { pid: 77 })).toBe(true);
    expect(matches(owned, { comm: 'nginx' })).toBe(true);
    expect(matches(owned, { pid: 1 })).toBe(false);
    expect(matches(owned, { pid: 77, comm: 'curl' })).toBe(false);
  });

  it('without a known owner belongs to the process that was running', () => {
    expect(matches(v4, { pid: 1, comm: 'swapper' })).toBe(true);
    expect(matches(v4, { pid: 2 })).toBe(false);
  });

  it('without addresses, or with such as are none, matches no address', () => {
    const { tuple: _tuple, ...unknown } = v4;
    expect(matches(unknown, { addr: ['0.0.0.0/0'] })).toBe(false);
    expect(matches({ ...v4, tuple: { saddr: 'x', daddr: '%:' } }, { addr: ['0.0.0.0/0', '::/0'] })).toBe(false);
  });

  it('of no events is no trouble', () => {
    expect(matches({ ...v4, events: [] }, { port: [8000] })).toBe(true);
    expect(matches({ ...v4, events: [] }, { ifname: 'eth0' })).toBe(false);
  });
});

describe('a network', () => {
  it('has the addresses whose first bits are its own', () => {
    const address = fc.nat(0xffffffff);
    const text = (n: number) => [24, 16, 8, 0].map((shift) => (n >>> shift) & 0xff).join('.');
    fc.assert(
      fc.property(address, address, fc.integer({ min: 0, max: 32 }), (net, host, prefix) => {
        const record = { ...v4, tuple: { saddr: text(host), daddr: '0.0.0.0' } };
        const expected = prefix === 0 || net >>> (32 - prefix) === host >>> (32 - prefix);
        expect(matches(record, { saddr: [`${text(net)}/${prefix}`] })).toBe(expected);
      }),
    );
  });
});

describe('other records', () => {
  const kinds = (options: Wanted) => RECORDS.filter((record) => matches(record, options)).map(({ type }) => type);

  it('match by what they know', () => {
    expect(kinds({ port: [80] })).toEqual(['trace', 'connection', 'packet', 'socket', 'latency']);
    expect(kinds({ comm: 'nginx' })).toEqual(['trace', 'packet', 'socket', 'latency']);
    expect(kinds({ ifname: 'eth0' })).toEqual(['trace', 'packet', 'latency']);
    expect(kinds({ proto: 'udp' })).toEqual([]);
  });

  it('that count over many packets are shown without a filter only', () => {
    expect(kinds({})).toEqual(RECORDS.map(({ type }) => type));
  });
});
