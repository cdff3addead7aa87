import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { UsageError } from '../../src/errors.js';
import { BACKENDS } from '../../src/load/backends.js';
import { LIMITS, parseFilter, type TraceOptions } from '../../src/options.js';
import { FILTER_PROTOS } from '../../src/protocols.js';

function refusal(options: TraceOptions): string {
  try {
    parseFilter(options);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    return error.message;
  }
  throw new Error(`taken: ${JSON.stringify(options)}`);
}

/** For values that the types forbid but that JavaScript can send. */
const untyped = (options: Record<string, unknown>) => options as TraceOptions;

describe('no options', () => {
  it('are a filter that everything passes', () => {
    expect(parseFilter({})).toEqual({
      saddr: [],
      daddr: [],
      addr: [],
      sport: [],
      dport: [],
      port: [],
      proto: undefined,
      tcpFlags: [],
      pktLen: undefined,
      ifname: undefined,
      pid: undefined,
    });
  });
});

describe.each([
  ['saddr', 'source address'],
  ['daddr', 'destination address'],
  ['addr', 'address'],
] as const)('the option %s', (option, name) => {
  it.each([
    ['10.0.0.1', { address: '10.0.0.1', prefix: 32 }],
    ['10.0.0.0/8', { address: '10.0.0.0', prefix: 8 }],
    ['0.0.0.0/0', { address: '0.0.0.0', prefix: 0 }],
    ['10.1.2.3/32', { address: '10.1.2.3', prefix: 32 }],
    ['fd00::1', { address: 'fd00::1', prefix: 128 }],
    ['fd00::/7', { address: 'fd00::', prefix: 7 }],
    ['::/0', { address: '::', prefix: 0 }],
  ])('takes %s', (text, net) => {
    expect(parseFilter({ [option]: [text] })[option]).toEqual([net]);
  });

  it.each(['localhost', '', '10.0.0', '10.0.0.256', '10.0.0.1 ', 'fe80::1%eth0', 'eth0', '/8', '10.0.0.0/8/9'])(
    'does not take %j',
    (text) => {
      expect(refusal({ [option]: [text] })).toBe(`${name} must be an IPv4 or IPv6 address or CIDR, not '${text}'`);
    },
  );

  it.each([
    ['10.0.0.0/33', 32, '33'],
    ['10.0.0.0/', 32, ''],
    ['10.0.0.0/-1', 32, '-1'],
    ['10.0.0.0/8.5', 32, '8.5'],
    ['fd00::/129', 128, '129'],
  ])('does not take the prefix of %s', (text, bits, prefix) => {
    expect(refusal({ [option]: [text] })).toBe(
      `${name} prefix of '${text}' must be a whole number from 0 to ${bits}, not '${prefix}'`,
    );
  });

  it('takes a list up to its limit', () => {
    const list = (n: number) => Array.from({ length: n }, (_, i) => `10.0.0.${i}`);
    expect(parseFilter({ [option]: list(LIMITS.nets) })[option]).toHaveLength(LIMITS.nets);
    expect(refusal({ [option]: list(LIMITS.nets + 1) })).toBe(`${name} takes at most 8 values, not 9`);
  });
});

describe.each([
  ['sport', 'source port'],
  ['dport', 'destination port'],
  ['port', 'port'],
] as const)('the option %s', (option, name) => {
  it('takes every port, as number or text', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 65535 }), fc.boolean(), (port, asText) => {
        expect(parseFilter({ [option]: [asText ? String(port) : port] })[option]).toEqual([{ low: port, high: port }]);
      }),
    );
  });

  it('takes every range', () => {
    const ports = fc.tuple(fc.integer({ min: 0, max: 65535 }), fc.integer({ min: 0, max: 65535 }));
    fc.assert(
      fc.property(ports, ([a, b]) => {
        const [low, high] = [Math.min(a, b), Math.max(a, b)];
        expect(parseFilter({ [option]: [`${low}-${high}`] })[option]).toEqual([{ low, high }]);
      }),
    );
  });

  it.each(['', 'http', '65536', '-1', '80-', '-80', '1-2-3', '8e3', '0x50', ' 80', '80,81', '1.5'])(
    'does not take %j',
    (text) => {
      expect(refusal({ [option]: [text] })).toMatch(
        new RegExp(`^${name} must be a whole number from 0 to 65535, not '.*'$`),
      );
    },
  );

  it.each(['-1', '80-', '1-2-3', 'http'])('names %j as it was given', (text) => {
    expect(refusal({ [option]: [text] })).toContain(`not '${text}'`);
  });

  it.each([-1, 1.5, Number.NaN, 65536])('does not take the number %d', (number) => {
    expect(refusal({ [option]: [number] })).toBe(`${name} must be a whole number from 0 to 65535, not '${number}'`);
  });

  it('does not take a range that ends before it starts', () => {
    expect(refusal({ [option]: ['90-80'] })).toBe(`${name} range '90-80' ends before it starts`);
  });

  it('takes a list up to its limit', () => {
    const list = (n: number) => Array.from({ length: n }, (_, i) => i);
    expect(parseFilter({ [option]: list(LIMITS.portRanges) })[option]).toHaveLength(LIMITS.portRanges);
    expect(refusal({ [option]: list(LIMITS.portRanges + 1) })).toBe(`${name} takes at most 16 values, not 17`);
  });
});

describe('the option proto', () => {
  it.each(FILTER_PROTOS)('takes %s', (proto) => {
    expect(parseFilter({ proto }).proto).toMatchObject({ name: proto });
  });

  it.each([
    [6, { name: 'tcp', l4: 6 }],
    [1, { name: 'icmp', l3: 0x0800, l4: 1 }],
    [132, { name: 'sctp', l4: 132 }],
    [253, { name: 'IP protocol 253', l4: 253 }],
  ])('takes the number %i, by its name where it has one', (proto, expected) => {
    expect(parseFilter({ proto }).proto).toEqual(expected);
  });

  it.each(['rarp', 'TCP', '', '6', 0, 256, 1.5, -1])('does not take %j', (proto) => {
    expect(refusal(untyped({ proto }))).toBe(
      `protocol must be one of ${FILTER_PROTOS.join(', ')}, or a number from 1 to 255, not '${proto}'`,
    );
  });

  it.each(['sctp', 'gre', 'arp', 'icmp'] as const)('%s goes with no ports and no TCP flags', (proto) => {
    expect(refusal({ proto, port: [80] })).toBe(`${proto} has no ports: a port filter would match nothing`);
    expect(refusal({ proto, tcpFlags: ['S'] })).toBe(`${proto} has no TCP flags: the filter would match nothing`);
  });
});

describe('the option tcpFlags', () => {
  it('takes sets of letters in either case', () => {
    expect(parseFilter({ tcpFlags: ['S', 'sa', 'RA', 'PFU'] }).tcpFlags).toEqual([0x02, 0x12, 0x14, 0x29]);
  });

  it.each(['', 'X', 'SYN', 'S,A', 'S A', 'E', 'sc'])('does not take %j', (text) => {
    expect(refusal({ tcpFlags: [text] })).toBe(`TCP flags are letters of S A R P F U, not '${text}'`);
  });

  it('takes a list up to its limit', () => {
    expect(parseFilter({ tcpFlags: new Array(LIMITS.flagSets).fill('S') }).tcpFlags).toHaveLength(LIMITS.flagSets);
    expect(refusal({ tcpFlags: new Array(LIMITS.flagSets + 1).fill('S') })).toBe(
      'TCP flags takes at most 8 values, not 9',
    );
  });
});

describe('the option pktLen', () => {
  it.each([
    ['1400', { low: 1400, high: 1400 }],
    ['100-200', { low: 100, high: 200 }],
    ['0-4294967295', { low: 0, high: 4294967295 }],
  ])('takes %s', (text, range) => {
    expect(parseFilter({ pktLen: text }).pktLen).toEqual(range);
  });

  it.each(['', '1k', '4294967296', '100-', '1-2-3', '-5'])('does not take %j', (text) => {
    expect(refusal({ pktLen: text })).toBe(`packet length must be a whole number from 0 to 4294967295, not '${text}'`);
  });

  it.each(['0', '0-0'])('does not take %s: it would match nothing', (text) => {
    expect(refusal({ pktLen: text })).toBe(`packet length must be at least 1, not '${text}'`);
  });
});

describe('the option ifname', () => {
  it.each(['lo', 'eth0', 'a'.repeat(15), 'veth-ä'])('takes %s', (ifname) => {
    expect(parseFilter({ ifname }).ifname).toBe(ifname);
  });

  it.each(['', 'a'.repeat(16), 'ääääääää'])('does not take %j', (ifname) => {
    expect(refusal({ ifname })).toBe(`interface names have 1 to 15 bytes, not '${ifname}'`);
  });
});

describe.each([
  ['pid', 'pid'],
  ['count', 'count'],
  ['ageMs', 'age'],
] as const)('the option %s', (option, name) => {
  it.each([1, 4711, 2 ** 31 - 1])('takes %d', (value) => {
    expect(() => parseFilter({ [option]: value })).not.toThrow();
  });

  it.each([0, -1, 1.5, 2 ** 31, Number.NaN, Number.POSITIVE_INFINITY])('does not take %d', (value) => {
    expect(refusal({ [option]: value })).toBe(`${name} must be a whole number from 1 to 2147483647, not '${value}'`);
  });
});

describe('the option backend', () => {
  it.each(BACKENDS)('takes %s', (backend) => {
    expect(() => parseFilter({ backend })).not.toThrow();
  });

  it('does not take another', () => {
    expect(refusal(untyped({ backend: 'uprobe' }))).toBe(
      "backend must be one of kprobe-multi, kprobe, fentry, tracepoint, not 'uprobe'",
    );
  });
});

describe('the option bufferBytes', () => {
  it.each([4096, 8192, 2 ** 23, 2 ** 30])('takes %d', (bufferBytes) => {
    expect(() => parseFilter({ bufferBytes })).not.toThrow();
  });

  it.each([0, 2048, 5000, 4097, 2 ** 31, -4096, 4096.5, Number.NaN])('does not take %d', (bufferBytes) => {
    expect(refusal({ bufferBytes })).toBe(
      `the buffer must be a power of two from 4096 to 1073741824 bytes, not ${bufferBytes}`,
    );
  });
});

describe('a filter that no packet can match', () => {
  it.each([
    [{ proto: 'icmp', port: [80] }, 'icmp has no ports: a port filter would match nothing'],
    [{ proto: 'arp', dport: [80] }, 'arp has no ports: a port filter would match nothing'],
    [{ proto: 'icmpv6', sport: [80] }, 'icmpv6 has no ports: a port filter would match nothing'],
    [{ proto: 'udp', tcpFlags: ['S'] }, 'udp has no TCP flags: the filter would match nothing'],
    [{ proto: 'arp', tcpFlags: ['S'] }, 'arp has no TCP flags: the filter would match nothing'],
    [{ proto: 'ip', addr: ['fd00::1'] }, /IPv4 and IPv6/],
    [{ proto: 'icmp', saddr: ['fd00::1'] }, /IPv4 and IPv6/],
    [{ proto: 'ipv6', daddr: ['10.0.0.1'] }, /IPv4 and IPv6/],
    [{ saddr: ['10.0.0.1'], daddr: ['fd00::1'] }, /IPv4 and IPv6/],
  ] satisfies [TraceOptions, string | RegExp][])('is refused: %j', (options, message) => {
    expect(refusal(options)).toMatch(message);
  });

  it.each([
    { proto: 'ip', port: [80] },
    { proto: 'ipv6', tcpFlags: ['R'], port: [80] },
    { proto: 'tcp', tcpFlags: ['R'], port: [80] },
    { proto: 'udp', port: [53] },
    { addr: ['10.0.0.1', 'fd00::1'] },
    { proto: 'ipv6', addr: ['10.0.0.1', 'fd00::1'] },
    { saddr: ['10.0.0.1', 'fd00::1'], daddr: ['fd00::2'] },
  ] satisfies TraceOptions[])('is not one like %j', (options) => {
    expect(() => parseFilter(options)).not.toThrow();
  });
});

describe('any text', () => {
  it('as option is either taken or refused by a UsageError', () => {
    const option = fc.constantFrom('saddr', 'addr', 'port', 'dport', 'tcpFlags');
    fc.assert(
      fc.property(option, fc.string({ unit: 'binary', maxLength: 20 }), (name, text) => {
        try {
          parseFilter({ [name]: [text] });
        } catch (error) {
          expect(error).toBeInstanceOf(UsageError);
        }
      }),
      { numRuns: 500 },
    );
  });
});
