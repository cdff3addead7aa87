import { describe, expect, it } from 'vitest';
import {
  type AnyLayer,
  build,
  destinationOptions,
  ethernet,
  findLayer,
  fragment,
  hopByHop,
  icmp,
  ipv4,
  ipv6,
  parse,
  payload,
  quote,
  routing,
  routingAddresses,
  tcp,
  udp,
  vlan,
} from '../../../../src/repro/packet/index.js';
import { useFolder } from '../../../support/folder.js';
import { dissect, missingTshark } from '../../../support/tshark.js';

const folder = useFolder();
const data = payload(Uint8Array.from({ length: 1000 }, (_, i) => i % 251));
const v4 = ipv4({ source: '10.0.0.1', destination: '10.0.0.2', id: 77 });
const v6 = ipv6({ source: 'fd00::1', destination: 'fd00::2' });
const option = { type: 0x1e, data: Uint8Array.of(1, 2, 3) };

const packets: [string, AnyLayer[]][] = [
  ['UDP over IPv4', [ethernet(), v4, udp({ sourcePort: 1, destinationPort: 2 }), data]],
  ['TCP over IPv4', [ethernet(), vlan({ id: 5 }), v4, tcp({ sourcePort: 1, destinationPort: 2, flags: 'A' }), data]],
  ['ICMP over IPv4', [ethernet(), v4, icmp({ type: 8, rest: { kind: 'echo', id: 1, sequence: 2 } }), data]],
  ['UDP over IPv6', [ethernet(), v6, udp({ sourcePort: 1, destinationPort: 2 }), data]],
  [
    'TCP behind all extension headers',
    [
      ethernet(),
      v6,
      hopByHop({ options: [option] }),
      destinationOptions({ options: [option] }),
      routing({ type: 2, segmentsLeft: 1, data: routingAddresses(['fd00::3']) }),
      destinationOptions({ options: [option] }),
      tcp({ sourcePort: 1, destinationPort: 2, flags: 'A' }),
      data,
    ],
  ],
];

describe('fragments', () => {
  it.each(packets)('of %s fit the MTU, and are whole packets of their own', (_, layers) => {
    for (const mtu of [200, 296, 700]) {
      const parts = fragment(layers, mtu, 99);
      expect(parts.length).toBeGreaterThan(1);
      for (const part of parts) {
        const bytes = build(part);
        const { layers: seen, problems } = parse(bytes);
        expect(problems).toEqual([]);
        const [ip4, ip6] = [findLayer(seen, 'ipv4'), findLayer(seen, 'ipv6')];
        expect(ip4 ? ip4.totalLength : 40 + ip6!.payloadLength).toBeLessThanOrEqual(mtu);
        expect((ip4 ?? findLayer(seen, 'fragment'))?.id).toBe(99);
      }
    }
  });

  it.skipIf(missingTshark).each(packets)('of %s are put together by tshark again', (_, layers) => {
    const parts = fragment(layers, 400);
    const last = dissect(folder(), parts.map(build), { reassemble: true }).at(-1)!;
    const transport = ['tcp', 'udp', 'icmp'].find((name) => last.has(name))!;
    expect(last.get(transport)![0]!.get(`${transport}.checksum.status`)).toEqual(['1']);
    const shown = last.get('data')?.[0]?.get('data.data') ?? last.get('icmp')?.[0]?.get('data.data');
    expect(shown?.[0]?.replaceAll(':', '')).toBe(Buffer.from(data.data).toString('hex'));
  });

  it('have the options that are copied, and the first has all', () => {
    const options = [
      { type: 7, data: Uint8Array.of(4, 0, 0, 0, 0) },
      { type: 148, data: Uint8Array.of(0, 0) },
    ];
    const parts = fragment([{ ...v4, options }, udp({ sourcePort: 1, destinationPort: 2 }), data], 400);
    const types = parts.map((part) => {
      const { layers } = parse(build(part), { first: 'ipv4' });
      return findLayer(layers, 'ipv4')!.options.map((one) => ('type' in one ? one.type : -1));
    });
    expect(types[0]).toEqual([7, 148, 0]);
    for (const later of types.slice(1)) expect(later).toEqual([148]);
  });

  it('are none where the packet fits, and an error where nothing fits', () => {
    const layers = packets[0]![1];
    expect(fragment(layers, 1028)).toEqual([layers]);
    expect(fragment(layers, 1027)).toHaveLength(2);
    expect(() => fragment(layers, 27)).toThrow(/leaves no room/);
    expect(() => fragment([ethernet(), data], 100)).toThrow(/take an IP layer/);
  });
});

describe('what an ICMP error quotes', () => {
  it('is the packet from its IP header on', () => {
    const layers = packets[1]![1];
    const quoted = quote(layers);
    expect(quoted).toEqual(build(layers).subarray(18, 46));
    const error = parse(build([v4, icmp({ type: 3, code: 1 }), payload(quoted)]), { first: 'ipv4' });
    expect(error.problems).toEqual([]);
    const content = findLayer(error.layers, 'payload')!;
    expect(findLayer(parse(content.data, { first: 'ipv4' }).layers, 'ipv4')).toMatchObject({
      id: 77,
      totalLength: 1040,
    });
  });
});
