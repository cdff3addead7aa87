import { isIPv4, isIPv6, SocketAddress } from 'node:net';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatEndpoint, formatIpv4, formatIpv6, parseAddress } from '../../../src/decode/addresses.js';

const ipv4Bytes = fc.uint8Array({ minLength: 4, maxLength: 4 });
/** Zero words are frequent, so that all ways to write :: come up. */
const ipv6Bytes = fc
  .array(fc.oneof(fc.constant(0), fc.constant(0), fc.integer({ min: 0, max: 0xffff })), { minLength: 8, maxLength: 8 })
  .map((words) => Uint8Array.from(words.flatMap((w) => [w >> 8, w & 0xff])));

describe('an IPv4 address', () => {
  it('goes to text and back', () => {
    fc.assert(
      fc.property(ipv4Bytes, (bytes) => {
        const text = formatIpv4(bytes);
        expect(isIPv4(text)).toBe(true);
        expect(parseAddress(text)).toEqual(bytes);
      }),
    );
  });

  it.each(['1.2.3', '1.2.3.4.5', '256.1.1.1', '01.2.3.4', '1.2.3.4 ', '', '0x7f.1', '1.2.3.4/8'])(
    'is not %j',
    (text) => {
      expect(parseAddress(text)).toBeNull();
    },
  );
});

describe('an IPv6 address', () => {
  it('goes to text and back', () => {
    fc.assert(
      fc.property(ipv6Bytes, (bytes) => {
        const text = formatIpv6(bytes);
        expect(isIPv6(text)).toBe(true);
        expect(parseAddress(text)).toEqual(bytes);
      }),
      { numRuns: 1000 },
    );
  });

  it('is written as Node writes it, but for dotted tails', () => {
    fc.assert(
      fc.property(ipv6Bytes, (bytes) => {
        const text = formatIpv6(bytes);
        const { address } = new SocketAddress({ address: text, family: 'ipv6' });
        fc.pre(!address.includes('.'));
        expect(text).toBe(address);
      }),
      { numRuns: 1000 },
    );
  });

  it('is read in every spelling that Node reads', () => {
    const spelling = ipv6Bytes.chain((bytes) => {
      const words = Array.from({ length: 8 }, (_, i) => ((bytes[2 * i]! << 8) | bytes[2 * i + 1]!).toString(16));
      const full = words.map((w) => w.padStart(4, '0'));
      const dotted = `${words.slice(0, 6).join(':')}:${bytes.subarray(12).join('.')}`;
      return fc
        .constantFrom(words.join(':'), full.join(':'), full.join(':').toUpperCase(), dotted)
        .map((text) => ({ text, bytes }));
    });
    fc.assert(
      fc.property(spelling, ({ text, bytes }) => {
        expect(parseAddress(text)).toEqual(bytes);
      }),
    );
  });

  it.each([
    ['::', '::'],
    ['::1', '::1'],
    ['2001:DB8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
    ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
    ['fe80:0:0:0:0:0:0:0', 'fe80::'],
    ['::ffff:10.1.2.3', '::ffff:a01:203'],
    ['::10.1.2.3', '::a01:203'],
  ])('%s becomes %s', (text, normal) => {
    expect(formatIpv6(parseAddress(text)!)).toBe(normal);
  });

  it.each(['fe80::1%eth0', ':::', '1:2:3:4:5:6:7', '1:2:3:4:5:6:7:8:9', '12345::', 'g::', '[::1]', '::1/64'])(
    'is not %j',
    (text) => {
      expect(parseAddress(text)).toBeNull();
    },
  );

  it('is never made of text that Node takes for none', () => {
    const near = fc.string({ unit: fc.constantFrom(...'0123456789abcdefG:.%/ '), maxLength: 24 });
    fc.assert(
      fc.property(near, (text) => {
        const known = isIPv4(text) || (isIPv6(text) && !text.includes('%'));
        expect(parseAddress(text) !== null).toBe(known);
      }),
      { numRuns: 2000 },
    );
  });
});

describe('an endpoint', () => {
  it.each([
    ['10.0.0.1', 80, '10.0.0.1:80'],
    ['10.0.0.1', 0, '10.0.0.1:0'],
    ['fe80::1', 80, '[fe80::1]:80'],
    ['fe80::1', undefined, 'fe80::1'],
    ['10.0.0.1', undefined, '10.0.0.1'],
  ])('of %s and %s is %s', (address, port, text) => {
    expect(formatEndpoint(address, port)).toBe(text);
  });
});
