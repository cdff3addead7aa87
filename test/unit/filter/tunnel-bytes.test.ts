import { describe, expect, it } from 'vitest';
import { NotKnown } from '../../../src/filter/classic-interpreter.js';
import type { RecordedBytes } from '../../../src/filter/recorded-bytes.js';
import { insideTunnel } from '../../../src/filter/tunnel-bytes.js';

const ETHERNET = '020000000001020000000002';
const ADDRESSES = '0a0000010a000002';
const INNER = 'c0ffee';
const ipv4 = (protocol: string, options = '', fragment = '0000') =>
  `4${5 + options.length / 8}0000000000${fragment}40${protocol}0000${ADDRESSES}${options}`;
const ipv6 = (next: string) => `600000000000${next}40${'fd'.repeat(16)}${'fe'.repeat(16)}`;
const udp = (port: number) => `c350${port.toString(16).padStart(4, '0')}00100000`;
const VXLAN = '0800000000002a00';
const geneve = (type: string, options = '') => `0${options.length / 8}00${type}00002a00${options}`;

function bytesOf(hex: string, more: Partial<RecordedBytes> = {}): RecordedBytes {
  const length = hex.length / 2;
  return { bytes: Buffer.from(hex, 'hex'), link: 'raw', length, isCut: false, recorded: length, ...more };
}

/** What is inside, with its link layer; undefined for no tunnel. */
function inside(hex: string, more: Partial<RecordedBytes> = {}): string | undefined {
  const inner = insideTunnel(bytesOf(hex, more));
  return inner && `${inner.link} ${Buffer.from(inner.bytes).toString('hex')}`;
}

describe('inside of', () => {
  it.each<[string, string, string | undefined]>([
    ['VXLAN', ipv4('11') + udp(4789) + VXLAN, 'ethernet'],
    ["VXLAN on Linux' old port", ipv4('11') + udp(8472) + VXLAN, 'ethernet'],
    ['VXLAN without a number', ipv4('11') + udp(4789) + VXLAN.replace('08', '00'), undefined],
    ['another UDP port', ipv4('11') + udp(4790) + VXLAN, undefined],
    ['VXLAN behind options of IP', ipv4('11', '01010101') + udp(4789) + VXLAN, 'ethernet'],
    ['VXLAN over IPv6', ipv6('11') + udp(4789) + VXLAN, 'ethernet'],
    [
      'VXLAN behind extension headers',
      `${ipv6('00')}3c00000000000000${'1101'}${'00'.repeat(14)}${udp(4789)}${VXLAN}`,
      'ethernet',
    ],
    ['the first fragment of IPv6', `${ipv6('2c')}1100000100000001${udp(4789)}${VXLAN}`, 'ethernet'],
    ['a later fragment of IPv6', `${ipv6('2c')}1100000900000001${udp(4789)}${VXLAN}`, undefined],
    ['the first fragment', ipv4('11', '', '2000') + udp(4789) + VXLAN, 'ethernet'],
    ['a later fragment', ipv4('11', '', '0010') + udp(4789) + VXLAN, undefined],
    ['Geneve of Ethernet', ipv4('11') + udp(6081) + geneve('6558'), 'ethernet'],
    ['Geneve with options', ipv4('11') + udp(6081) + geneve('6558', '0102000100000000'), 'ethernet'],
    ['Geneve of IPv4', ipv4('11') + udp(6081) + geneve('0800'), 'raw'],
    ['Geneve of IPv6', ipv4('11') + udp(6081) + geneve('86dd'), 'raw'],
    ['Geneve of something else', ipv4('11') + udp(6081) + geneve('88b5'), undefined],
    ['Geneve of another version', ipv4('11') + udp(6081) + geneve('6558').replace('0', '4'), undefined],
    ['GRE of Ethernet', `${ipv4('2f')}00006558`, 'ethernet'],
    ['GRE of IP', `${ipv4('2f')}00000800`, 'raw'],
    ['GRE with all its fields', `${ipv4('2f')}b00086dd${'00'.repeat(12)}`, 'raw'],
    ['GRE with a route', `${ipv4('2f')}40000800`, undefined],
    ['PPTP', `${ipv4('2f')}20010800`, undefined],
    ['IP in IP', ipv4('04'), 'raw'],
    ['IPv6 in IP', ipv4('29'), 'raw'],
    ['IP in IPv6', ipv6('04'), 'raw'],
    ['TCP', ipv4('06'), undefined],
    ['a header that is too short', ipv4('04').replace('45', '44'), undefined],
    ['ARP', '0001080006040001', undefined],
  ])('%s', (_, hex, link) => {
    expect(inside(hex + INNER)).toBe(link && `${link} ${INNER}`);
    // and the same behind Ethernet headers
    const isV6 = hex.startsWith('6');
    const type = isV6 ? '86dd' : '0800';
    for (const tags of ['', '81000005', '88a80005810000068100000f'])
      expect(inside(`${ETHERNET}${tags}${type}${hex}${INNER}`, { link: 'ethernet' })).toBe(link && `${link} ${INNER}`);
  });

  it('a packet that ends behind the header, or in it, is nothing', () => {
    const whole = ipv4('11') + udp(6081) + geneve('6558', '0102000100000000');
    for (let length = 0; length <= whole.length; length += 2) expect(inside(whole.slice(0, length))).toBeUndefined();
  });

  it('one whose bytes were cut there is not known', () => {
    const whole = `${ipv4('2f')}30000800${'00'.repeat(8)}`;
    for (let length = 0; length <= whole.length; length += 2)
      expect(() => inside(whole.slice(0, length), { isCut: true })).toThrow(NotKnown);
    expect(inside(whole + INNER, { isCut: true })).toBe(`raw ${INNER}`);
  });

  it('a tunnel the length is that of the inner packet', () => {
    expect(insideTunnel(bytesOf(ipv4('04') + INNER, { length: 1020 }))).toMatchObject({ length: 1000, isCut: false });
  });
});
