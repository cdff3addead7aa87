import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type AnyLayer,
  build,
  ethernet,
  findLayer,
  ipv4,
  ipv6,
  type ParseOptions,
  parse,
  payload,
  tcp,
  udp,
  withoutDerived,
} from '../../../../src/repro/packet/index.js';
import { anyFrame } from '../../../support/packet-arbitraries.js';

const same = (one: Uint8Array, other: Uint8Array) => Buffer.compare(one, other) === 0;
const anyFirst = fc.constantFrom<ParseOptions['first'][]>(
  ...(['ethernet', 'vlan', 'arp', 'ipv4', 'ipv6', 'hop-by-hop', 'destination-options', 'routing', 'fragment'] as const),
  ...(['tcp', 'udp', 'icmp', 'icmpv6', 'vxlan', 'gre', 'payload'] as const),
);

/** Bytes of a packet with some of them changed, and often with an end that is missing. */
const damaged = fc
  .tuple(
    anyFrame,
    fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { maxLength: 6 }),
    fc.nat(),
    fc.boolean(),
  )
  .map(([layers, changes, length, cut]) => {
    const bytes = build(layers);
    for (const [at, value] of changes) bytes[at % bytes.length] = value;
    return cut ? bytes.subarray(0, length % (bytes.length + 1)) : bytes;
  });

describe('layers that were parsed', () => {
  it('build the same bytes again, whatever these are', () => {
    fc.assert(
      fc.property(
        fc.oneof(damaged, fc.uint8Array({ maxLength: 200 })),
        anyFirst,
        fc.boolean(),
        (bytes, other, asked) => {
          const options: ParseOptions = asked && other ? { first: other } : {};
          const { layers, problems } = parse(bytes, options);
          expect(same(build(layers), bytes)).toBe(true);
          for (const { at, text } of problems) {
            expect(at).toBeLessThanOrEqual(layers.length);
            expect(text).not.toBe('');
          }
        },
      ),
      { numRuns: 3000 },
    );
  });

  it('build the same bytes also from what is not derived, where all was right', () => {
    fc.assert(
      fc.property(anyFrame, (packet) => {
        const bytes = build(packet);
        const { layers, problems } = parse(bytes);
        expect(same(build(withoutDerived(layers)), bytes)).toBe(problems.length === 0);
      }),
      { numRuns: 1000 },
    );
  });

  it('do not change with the buffer that they came from', () => {
    const bytes = build([udp({ sourcePort: 1, destinationPort: 2 }), payload('contents')]);
    const { layers } = parse(bytes, { first: 'udp' });
    bytes.fill(0);
    expect(findLayer(layers, 'payload')).toEqual(payload('contents'));
  });
});

describe('a packet that was parsed and changed', () => {
  it('gets right lengths and checksums', () => {
    const original = build([
      ethernet(),
      ipv6({ source: 'fd00::1', destination: 'fd00::2' }),
      tcp({ sourcePort: 1, destinationPort: 2, flags: 'PA', options: [{ kind: 'timestamps', tsval: 1, tsecr: 2 }] }),
      payload('before'),
    ]);
    const changed = withoutDerived(parse(original).layers).map((layer): AnyLayer => {
      if (layer.kind === 'tcp') return { ...layer, options: [], seq: 7 };
      return layer.kind === 'payload' ? payload('and behind') : layer;
    });
    const { layers, problems } = parse(build(changed));
    expect(problems).toEqual([]);
    expect(findLayer(layers, 'tcp')).toMatchObject({ seq: 7, options: [], headerLength: 20, flags: 'AP' });
    expect(findLayer(layers, 'ipv6')?.payloadLength).toBe(20 + 'and behind'.length);
  });
});

describe('what is wrong with a packet', () => {
  const ends = { source: '10.0.0.1', destination: '10.0.0.2' };
  const names = (bytes: Uint8Array, options: ParseOptions = { first: 'ipv4' }) =>
    parse(bytes, options).problems.map(({ layer, name }) => `${layer}: ${name}`);
  const segment = tcp({ sourcePort: 1, destinationPort: 2, flags: 'S', options: [{ kind: 'mss', value: 1460 }] });

  it('is nothing where all is right', () => {
    expect(names(build([ipv4(ends), segment]))).toEqual([]);
  });

  it('is named, and what makes no header stays payload', () => {
    const bytes = build([ipv4(ends), segment]);
    const short = parse(bytes.subarray(0, 30), { first: 'ipv4' });
    expect(short.layers.map(({ kind }) => kind)).toEqual(['ipv4', 'payload']);
    expect(names(bytes.subarray(0, 30))).toEqual(['ipv4: truncated', 'tcp: truncated']);
    expect(names(bytes.subarray(0, 10))).toEqual(['ipv4: malformed']);
    expect(names(build([ipv4({ ...ends, version: 5 }), segment]))).toEqual(['ipv4: malformed']);
    expect(names(build([ipv4({ ...ends, protocol: 6 }), payload('short')]))).toEqual(['tcp: malformed']);
    expect(names(build([ipv4({ ...ends, totalLength: 19 }), segment]))).toEqual(['ipv4: malformed']);
    expect(names(build([ipv4(ends), { ...segment, headerLength: 60 }]))).toEqual(['tcp: malformed']);
    expect(names(build([ipv4(ends), { ...segment, options: [{ kind: 'raw', data: Uint8Array.of(2, 9) }] }]))).toEqual([
      'tcp: bad-option',
    ]);
    expect(names(build([ipv4({ ...ends, options: [{ raw: Uint8Array.of(7, 1) }] }), segment]))).toEqual([
      'ipv4: bad-option',
    ]);
    expect(names(build([ipv4(ends), udp({ sourcePort: 1, destinationPort: 2, length: 7 })]))).toEqual([
      'udp: malformed',
    ]);
    expect(names(new Uint8Array(0), {})).toEqual(['ethernet: malformed']);
  });

  it('tells wrong checksums, and which would be right', () => {
    const right = parse(build([ipv4(ends), segment]), { first: 'ipv4' });
    const wrong = parse(build([ipv4({ ...ends, checksum: 'wrong' }), { ...segment, checksum: 0x1234 }]), {
      first: 'ipv4',
    });
    expect(wrong.problems.map(({ at, name }) => [at, name])).toEqual([
      [0, 'bad-checksum'],
      [1, 'bad-checksum'],
    ]);
    const value = findLayer(right.layers, 'tcp')!.checksum.toString(16).padStart(4, '0');
    expect(wrong.problems[1]!.text).toBe(`the checksum is 0x1234, and would be 0x${value}`);
  });

  it('is no wrong checksum where a kernel left it to the device', () => {
    const length = build([segment]).length;
    const pseudo = [0x0a00, 1, 0x0a00, 2, 6, length].reduce((sum, word) => sum + word, 0);
    const bytes = build([ipv4(ends), { ...segment, checksum: pseudo }]);
    expect(names(bytes)).toEqual(['tcp: unfinished-checksum']);
    expect(names(bytes, { first: 'ipv4', checksumPending: true })).toEqual([]);
  });

  it('ends after so many headers, however deep they are stacked', () => {
    const deep = Array.from({ length: 100 }, () => ipv4(ends));
    const bytes = build([...deep, segment]);
    expect(parse(bytes, { first: 'ipv4' }).layers).toHaveLength(65);
    expect(same(build(parse(bytes, { first: 'ipv4' }).layers), bytes)).toBe(true);
  });
});
