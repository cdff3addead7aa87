import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { UsageError } from '../../../src/errors.js';
import { compileExpression } from '../../../src/filter/pcap-expression.js';
import {
  type RecordedSight,
  recordedExpression,
  recordedTunnel,
  type SightTest,
} from '../../../src/filter/recorded-expression.js';
import { parseFilter, type TraceOptions } from '../../../src/options.js';
import { recordMatcher } from '../../../src/read/match-filter.js';
import type { PacketBytes, Proto, TraceEvent, Tuple } from '../../../src/types.js';
import { skbTrace, traceEvent } from '../../support/traces.js';

const TUPLE = { saddr: '10.0.0.1', sport: 40000, daddr: '10.0.0.2', dport: 80 };
const TCP = { seq: 5, ack: 6, flags: 'SA', win: 512, payload: 0 };
const PLAIN = { saddr: '10.0.0.1', daddr: '10.0.0.2' };
const SIX = { saddr: 'fe80::1', daddr: 'ff02::16' };

function test(expression: string): SightTest {
  return recordedExpression(expression, compileExpression(expression, 'filter expression'));
}

function packet(proto: Proto, tuple: Tuple, more: Partial<TraceEvent> = {}): RecordedSight {
  return { proto, tuple, event: traceEvent({ len: 60, ...more }) };
}

const tcp = packet('tcp', TUPLE, { tcp: TCP });
const socket: RecordedSight = { proto: 'tcp', tuple: TUPLE, isSocket: true };

describe('an expression on a recorded packet', () => {
  it.each<[string, RecordedSight, boolean]>([
    ['tcp port 80', tcp, true],
    ['tcp src port 80', tcp, false],
    ['tcp port 80 and host 10.0.0.1', socket, true],
    ['not dst port 80', socket, false],
    ['udp', socket, false],
    ['net 10.0.0.0/8 and not host 10.0.0.3', tcp, true],
    ['tcp[tcpflags] & (tcp-syn|tcp-ack) == (tcp-syn|tcp-ack)', tcp, true],
    ['tcp[tcpflags] & tcp-rst != 0', tcp, false],
    ['tcp[4:4] = 5 and tcp[8:4] = 6 and tcp[14:2] = 512', tcp, true],
    ['greater 60 and less 60', tcp, true],
    ['arp or udp or icmp', tcp, false],
    ['tcp portrange 70-90', packet('tcp', { ...TUPLE, saddr: 'fe80::1', daddr: 'fe80::2' }), true],
    ['ip6', packet('tcp', { ...TUPLE, saddr: 'fe80::1', daddr: 'fe80::2' }), true],
    ['udp port 53', packet('udp', { ...TUPLE, dport: 53 }), true],
    [
      'icmp[icmptype] = icmp-echo and icmp[4:2] = 9',
      packet('icmp', PLAIN, { icmp: { type: 8, code: 0, id: 9 } }),
      true,
    ],
    ['arp host 10.0.0.2', packet('arp', PLAIN, { arpOp: 1 }), true],
    ['arp[6:2] = 2', packet('arp', PLAIN, { arpOp: 1 }), false],
    ['arp', tcp, false],
    ['tcp', packet('ip', PLAIN), false],
    ['sctp', packet('ip', PLAIN, { ipProtocol: 132 }), true],
    ['ip proto 47', packet('ip', PLAIN, { ipProtocol: 132 }), false],
    ['mpls', tcp, false],
    // a later fragment has no ports
    ['tcp port 80', packet('tcp', { ...PLAIN, sport: 0, dport: 0 }), false],
    ['tcp', packet('tcp', { ...PLAIN, sport: 0, dport: 0 }), true],
    ['ip[6:2] & 0x1fff != 0', packet('tcp', { ...PLAIN, sport: 0, dport: 0 }), true],
    // listener reports stand behind a hop-by-hop header, which libpcap does not look behind
    ['icmp6', packet('icmpv6', SIX, { icmp: { type: 143, code: 0 } }), false],
    ['icmp6', packet('icmpv6', SIX, { icmp: { type: 135, code: 0 } }), true],
  ])('%s', (expression, recorded, wanted) => {
    expect(test(expression)(recorded)).toBe(wanted);
  });

  it.each<[string, RecordedSight, string]>([
    ['ip[8] > 3', tcp, 'the TTL'],
    ['ip[1] = 0', tcp, 'the type of service (TOS)'],
    ['ether host 00:11:22:33:44:55', tcp, 'MAC addresses'],
    ['tcp[16:2] = 7', tcp, "TCP's checksum"],
    ['tcp[20] = 2', tcp, 'the payload'],
    ['ip[20] = 7', tcp, 'options of the IP header'],
    ['ip proto 47', packet('ip', PLAIN), 'the number of an IP protocol that has no name here'],
    ['port 53', packet('ip', PLAIN, { ipProtocol: 132 }), 'flags and offset of fragments'],
    ['port 53', packet('ip', PLAIN), 'the number of an IP protocol that has no name here'],
    ['tcp[14:2] > 100', packet('tcp', TUPLE, { tcp: TCP, fromSocket: true }), "TCP's window"],
    ['tcp[tcpflags] & tcp-rst != 0', packet('tcp', TUPLE), "TCP's flags"],
    ['greater 5', { ...tcp, event: traceEvent({ tcp: TCP }) }, 'its length'],
  ])('%s: says what is not recorded', (expression, recorded, what) => {
    const message = `filter expression: whether packets match depends on ${what}, which traces do not record`;
    expect(() => test(expression)(recorded)).toThrow(expect.objectContaining({ name: UsageError.name, message }));
  });

  it('is refused for VLAN tags where no bytes are recorded', () => {
    expect(() => test('vlan 5')(tcp)).toThrow('VLAN tags');
    expect(() => test('host vlan.example.invalid.')).not.toThrow('VLAN tags');
  });
});

describe('an expression on recorded bytes', () => {
  const MACS = '020000000002024e00000001';
  const UDP = '4500002400010000401100000a0000010a000002c350003500100000';
  const seen = (bytes: PacketBytes, more: Partial<TraceEvent> = {}) =>
    packet('tcp', TUPLE, { tcp: TCP, ...more, bytes });
  const ethernet = (type: string, rest: string, more: Partial<PacketBytes> = {}): PacketBytes => {
    const hex = `${MACS}${type}${rest}`;
    return { link: 'ethernet', hex, length: hex.length / 2, ...more };
  };
  const plain = ethernet('0800', `${UDP}68656c6c6f`);
  const tagged = ethernet('8100', `00050800${UDP}68656c6c6f`);
  const raw: PacketBytes = { link: 'raw', hex: `${UDP}68656c6c6f`, length: 33 };
  const cut = ethernet('0800', UDP, { length: 1042, cut: true });
  const inPages = ethernet('0800', UDP, { length: 1042 });

  it.each<[string, PacketBytes, boolean]>([
    // what the event itself says of the packet does not count
    ['udp port 53', plain, true],
    ['tcp', plain, false],
    ['udp[8:4] = 0x68656c6c', plain, true],
    ['udp[8:4] = 0x68656c6d', plain, false],
    ['udp[13] = 0', plain, false],
    ['ip[8] = 64', plain, true],
    ['ether src 02:4e:00:00:00:01', plain, true],
    ['vlan', plain, false],
    ['vlan 5 and udp port 53', tagged, true],
    ['vlan 6', tagged, false],
    ['len = 47', plain, true],
    ['udp[8:4] = 0x68656c6c', raw, true],
    // not of this link type, which live lets nothing through
    ['ether src 02:4e:00:00:00:01', raw, false],
    ['len = 33', raw, true],
    ['udp port 53 and greater 1000', cut, true],
    ['tcp or (udp[8] = 0 and ip[8] = 3)', cut, false],
    // what lies in pages is not there, live neither
    ['udp[8] = 0', inPages, false],
    ['not udp[8] = 0', inPages, false],
  ])('%s', (expression, bytes, wanted) => {
    expect(test(expression)(seen(bytes))).toBe(wanted);
  });

  it('is refused where bytes decide that were cut off', () => {
    const message =
      'filter expression: whether packets match depends on bytes behind the first 42, which traces do not';
    expect(() => test('udp[8] = 0')(seen(cut))).toThrow(message);
  });

  it('takes what is not known before there are bytes for no match, as live', () => {
    const before = packet('tcp', TUPLE, { tcp: TCP, fromSocket: true });
    expect(test('tcp port 80')({ ...before, hasLaterBytes: true })).toBe(true);
    expect(test('ip[8] = 64')({ ...before, hasLaterBytes: true })).toBe(false);
    expect(test('vlan')({ ...before, hasLaterBytes: true })).toBe(false);
    expect(() => test('ip[8] = 64')(before)).toThrow('the TTL');
  });
});

describe('a tunnel filter', () => {
  const filter = (expression: string) => recordedTunnel(compileExpression(expression, 'tunnel filter'));
  const vxlan = packet('udp', { ...TUPLE, dport: 4789 });
  const inner = '450000240001000040110000c0a80001c0a80002c3500035001000004142';
  const outer = '4500004400010000402f00000a0000010a000002';
  const gre = packet('ip', PLAIN, { bytes: { link: 'raw', hex: `${outer}00000800${inner}`, length: 100 } });

  it('is asked of what is inside, by the bytes', () => {
    expect(filter('src host 192.168.0.1 and udp[8:2] = 0x4142')(gre)).toBe(true);
    expect(filter('src host 10.0.0.1')(gre)).toBe(false);
    expect(filter('len = 76')(gre)).toBe(true);
  });

  it('is refused for packets that may be tunnels, where no bytes are recorded', () => {
    const message =
      'tunnel filter: whether packets match depends on what is inside of tunnels, which traces do not record';
    for (const one of [vxlan, packet('ip', PLAIN), packet('ipv6', SIX, { ipProtocol: 47 })])
      expect(() => filter('tcp')(one)).toThrow(expect.objectContaining({ name: UsageError.name, message }));
    for (const one of [tcp, packet('udp', TUPLE), packet('ip', PLAIN, { ipProtocol: 132 })])
      expect(filter('tcp')(one)).toBe(false);
    expect(filter('tcp')({ ...vxlan, hasLaterBytes: true })).toBe(false);
  });

  it('is refused for one that came into a tunnel on its way', () => {
    const events = [traceEvent(), traceEvent({ proto: 'udp', tuple: { ...TUPLE, dport: 6081 } })];
    expect(() => filter('tcp')({ ...tcp, whole: { proto: 'tcp', tuple: TUPLE, events } })).toThrow('inside of tunnels');
  });
});

describe('expressions and options', () => {
  const port = fc.constantFrom(80, 443, 8000);
  const family = fc.constantFrom(['10.0.0.1', '10.0.0.2'], ['fe80::1', 'fe80::2']);
  const recorded = fc.record({
    proto: fc.constantFrom<Proto>('tcp', 'udp', 'icmp', 'arp', 'ip', 'ipv6'),
    addresses: family,
    sport: port,
    dport: port,
    flags: fc.constantFrom('S', 'SA', 'A', 'R', 'RA'),
    len: fc.integer({ min: 40, max: 100 }),
  });

  it.each<[string, Partial<TraceOptions>]>([
    ['tcp port 80', { port: [80], proto: 'tcp' }],
    ['udp dst port 443', { dport: [443], proto: 'udp' }],
    ['tcp src portrange 80-443', { sport: ['80-443'], proto: 'tcp' }],
    ['host 10.0.0.1', { addr: ['10.0.0.1'] }],
    ['src host fe80::1', { saddr: ['fe80::1'] }],
    ['arp', { proto: 'arp' }],
    ['ip', { proto: 'ip' }],
    ['ip6', { proto: 'ipv6' }],
    ['tcp[tcpflags] & tcp-rst != 0', { tcpFlags: ['R'], proto: 'tcp', saddr: ['0.0.0.0/0'] }],
    ['len >= 50 and len <= 60', { pktLen: '50-60' }],
  ])('%s says the same as %j', (expression, options) => {
    const byExpression = test(expression);
    const byOptions = recordMatcher({ ...parseFilter(options), netns: undefined });
    fc.assert(
      fc.property(recorded, ({ proto, addresses: [saddr = '', daddr = ''], sport, dport, flags, len }) => {
        const isV6 = saddr.includes(':');
        fc.pre(isV6 ? !['arp', 'ip', 'icmp'].includes(proto) : proto !== 'ipv6');
        const hasPorts = proto === 'tcp' || proto === 'udp';
        const tuple = hasPorts ? { saddr, daddr, sport, dport } : { saddr, daddr };
        const event = traceEvent({
          len,
          pktLen: len,
          ...(proto === 'tcp' ? { tcp: { ...TCP, flags } } : {}),
          ...(proto === 'icmp' ? { icmp: { type: 8, code: 0, id: 1, seq: 1 } } : {}),
        });
        const trace = skbTrace({ proto, tuple, events: [event] });
        expect(byExpression({ proto, tuple, event })).toBe(byOptions(trace));
      }),
    );
  });
});
