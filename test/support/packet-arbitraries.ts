import fc from 'fast-check';
import { formatIpv6 } from '../../src/decode/addresses.js';
import {
  type AnyLayer,
  arp,
  destinationOptions,
  ethernet,
  gre,
  hopByHop,
  type IpOption,
  icmp,
  icmpv6,
  ipv4,
  ipv6,
  ipv6Fragment,
  neighborAdvertisement,
  neighborSolicitation,
  payload,
  quote,
  routerAdvertisement,
  routerSolicitation,
  routing,
  routingAddresses,
  type TcpOptionDraft,
  tcp,
  udp,
  VXLAN_PORT,
  vlan,
  vxlan,
} from '../../src/repro/packet/index.js';
import type { NdpOption } from '../../src/repro/packet/ndp.js';

/** Packets of all that can be crafted, each well-formed, so that a dissector has one way to read it. */

const u = (bits: number) => fc.integer({ min: 0, max: 2 ** bits - 1 });
const bytes = (min: number, max = min) => fc.uint8Array({ minLength: min, maxLength: max });
const hex = (data: Uint8Array, size: number) =>
  Buffer.from(data)
    .toString('hex')
    .match(new RegExp(`.{${size}}`, 'g'))!;
const mac = bytes(6).map((data) => hex(data, 2).join(':'));
const v4 = bytes(4).map((data) => data.join('.'));
const v6 = bytes(16).map(formatIpv6);
const checksum = fc.constantFrom(undefined, undefined, 'right' as const, 'wrong' as const);
const data = bytes(0, 60).map((content): AnyLayer[] => (content.length ? [payload(content)] : []));
/** None of the ports that make what follows a tunnel to tshark: GRE (RFC 8086), VXLAN and its like. */
const port = u(16).filter((number) => ![4754, 4789, 4790, 8472].includes(number));

const single = (type: number): IpOption => ({ type, data: new Uint8Array(0) });
const ipv4Option = fc.oneof(
  fc.constant(single(1)),
  fc.constant<IpOption>({ type: 148, data: Uint8Array.of(0, 0) }), // router alert
  u(16).map((id): IpOption => ({ type: 136, data: Uint8Array.of(id >> 8, id & 0xff) })), // stream id
  fc.constant<IpOption>({ type: 7, data: Uint8Array.of(4, 0, 0, 0, 0) }), // record route
);
const tcpOption: fc.Arbitrary<TcpOptionDraft> = fc.oneof(
  fc.constant<TcpOptionDraft>({ kind: 'nop' }),
  u(16).map((value): TcpOptionDraft => ({ kind: 'mss', value })),
  u(8).map((shift): TcpOptionDraft => ({ kind: 'window-scale', shift })),
  fc.constant<TcpOptionDraft>({ kind: 'sack-permitted' }),
  fc
    .array(fc.record({ left: u(32), right: u(32) }), { minLength: 1, maxLength: 3 })
    .map((blocks): TcpOptionDraft => ({ kind: 'sack', blocks })),
  fc.record({ kind: fc.constant('timestamps' as const), tsval: u(32), tsecr: u(32) }),
  fc.string().map((key): TcpOptionDraft => ({ kind: 'md5', key })),
  fc.record({ kind: fc.constant('ao' as const), keyId: u(8), nextKeyId: u(8), mac: bytes(12) }),
  fc
    .constantFrom(0, 4, 8, 16)
    .chain((size) => bytes(size).map((cookie): TcpOptionDraft => ({ kind: 'fast-open', cookie }))),
  bytes(1, 8).map((content): TcpOptionDraft => ({ kind: 'unknown', number: 99, data: content })),
);
/** As many as forty bytes hold. */
const tcpOptions = fc.array(tcpOption, { maxLength: 5 }).map((options) => {
  const size = (option: TcpOptionDraft): number => {
    const sizes = { nop: 1, end: 1, mss: 4, 'window-scale': 3, 'sack-permitted': 2, timestamps: 10, md5: 18, ao: 16 };
    if (option.kind === 'sack') return 2 + 8 * option.blocks.length;
    if (option.kind === 'fast-open') return 2 + option.cookie.length;
    if (option.kind === 'unknown' || option.kind === 'raw') return 2 + option.data.length;
    return sizes[option.kind];
  };
  let room = 40;
  return options.filter((option) => {
    const fits = size(option) <= room;
    if (fits) room -= size(option);
    return fits;
  });
});

const tcpSegment = fc
  .record({
    sourcePort: u(16),
    destinationPort: u(16),
    seq: u(32),
    ack: u(32),
    flags: fc.subarray([...'SARPFUEC']).map((letters) => letters.join('')),
    reserved: u(4),
    window: u(16),
    urgentPointer: u(16),
    checksum,
    options: tcpOptions,
  })
  .map(tcp);

const udpDatagram = fc
  .record({ sourcePort: port, destinationPort: port, checksum: fc.oneof(checksum, fc.constant(0)) })
  .map(udp);

/** What an ICMP error quotes. */
const quoted = (version: 4 | 6) =>
  fc
    .tuple(ip(version), tcpSegment)
    .map(([head, segment]): AnyLayer[] => [payload(quote([head, segment], version === 4 ? 28 : 60))]);

const icmpMessage: fc.Arbitrary<AnyLayer[]> = fc.oneof(
  fc
    .tuple(fc.constantFrom(0, 8), u(16), u(16), checksum, data)
    .map(([type, id, sequence, sum, content]): AnyLayer[] => [
      icmp({ type, checksum: sum, rest: { kind: 'echo', id, sequence } }),
      ...content,
    ]),
  fc
    .tuple(u(16), checksum, quoted(4))
    .map(([mtu, sum, content]): AnyLayer[] => [
      icmp({ type: 3, code: 4, checksum: sum, rest: { kind: 'mtu', mtu, unused: 0 } }),
      ...content,
    ]),
  fc
    .tuple(fc.constantFrom(3, 11), u(2), checksum, quoted(4))
    .map(([type, code, sum, content]): AnyLayer[] => [
      icmp({ type, code: type === 3 ? code : code & 1, checksum: sum }),
      ...content,
    ]),
  fc
    .tuple(v4, u(2), quoted(4))
    .map(([gateway, code, content]): AnyLayer[] => [
      icmp({ type: 5, code, rest: { kind: 'gateway', gateway } }),
      ...content,
    ]),
  fc
    .tuple(u(8), quoted(4))
    .map(([pointer, content]): AnyLayer[] => [
      icmp({ type: 12, rest: { kind: 'pointer', pointer, unused: 0 } }),
      ...content,
    ]),
);

const ndpOption: fc.Arbitrary<NdpOption> = fc.oneof(
  fc.record({ kind: fc.constantFrom('source-link-address' as const, 'target-link-address' as const), mac }),
  u(32).map((mtu): NdpOption => ({ kind: 'mtu', mtu })),
  fc.record({
    kind: fc.constant('prefix' as const),
    prefix: v6,
    prefixLength: fc.integer({ min: 0, max: 128 }),
    onLink: fc.boolean(),
    autonomous: fc.boolean(),
    validLifetime: u(32),
    preferredLifetime: u(32),
  }),
);
const ndpOptions = fc.array(ndpOption, { maxLength: 3 });
const ndpMessage = fc.oneof(
  ndpOptions.map((options) => routerSolicitation({ options })),
  fc
    .record({
      hopLimit: u(8),
      managed: fc.boolean(),
      otherConfiguration: fc.boolean(),
      routerLifetime: u(16),
      reachableTime: u(32),
      retransTimer: u(32),
      options: ndpOptions,
    })
    .map(routerAdvertisement),
  fc.tuple(v6, ndpOptions).map(([target, options]) => neighborSolicitation(target, { options })),
  fc
    .tuple(
      v6,
      fc.record({ router: fc.boolean(), solicited: fc.boolean(), override: fc.boolean(), options: ndpOptions }),
    )
    .map(([target, fields]) => neighborAdvertisement(target, fields)),
);

const icmpv6Message: fc.Arbitrary<AnyLayer[]> = fc.oneof(
  fc
    .tuple(fc.constantFrom(128, 129), u(16), u(16), checksum, data)
    .map(([type, id, sequence, sum, content]): AnyLayer[] => [
      icmpv6({ type, checksum: sum, message: { kind: 'echo', id, sequence } }),
      ...content,
    ]),
  fc
    .tuple(u(32), quoted(6))
    .map(([mtu, content]): AnyLayer[] => [icmpv6({ type: 2, message: { kind: 'mtu', mtu } }), ...content]),
  fc
    .tuple(u(32), u(2), quoted(6))
    .map(([pointer, code, content]): AnyLayer[] => [
      icmpv6({ type: 4, code, message: { kind: 'pointer', pointer } }),
      ...content,
    ]),
  fc
    .tuple(fc.constantFrom(1, 3), checksum, quoted(6))
    .map(([type, sum, content]): AnyLayer[] => [icmpv6({ type, checksum: sum }), ...content]),
  fc.tuple(ndpMessage, checksum).map(([message, sum]): AnyLayer[] => [{ ...message, checksum: sum }]),
);

function ip(version: 4 | 6): fc.Arbitrary<AnyLayer> {
  const common = { dscp: u(6), ecn: u(2) };
  if (version === 6) {
    const fields = { source: v6, destination: v6, flowLabel: u(20), hopLimit: u(8), ...common };
    return fc.record(fields).map(ipv6);
  }
  return fc
    .record({
      source: v4,
      destination: v4,
      id: u(16),
      reservedFlag: fc.boolean(),
      dontFragment: fc.boolean(),
      ttl: u(8),
      checksum,
      options: fc.array(ipv4Option, { maxLength: 3 }),
      ...common,
    })
    .map(ipv4);
}

const experiments = fc.array(
  fc.tuple(fc.constantFrom(0x1e, 0x3e), bytes(0, 20)).map(([type, content]): IpOption => ({ type, data: content })),
  { maxLength: 2 },
);
const routingHeader = fc
  .tuple(fc.constantFrom(0, 2), fc.array(v6, { minLength: 1, maxLength: 3 }), fc.boolean())
  .map(([type, addresses, used]) => {
    const hops = type === 2 ? addresses.slice(0, 1) : addresses;
    return routing({ type, segmentsLeft: used ? hops.length : 0, data: routingAddresses(hops) });
  });
const extensions = fc
  .tuple(
    fc.option(
      experiments.map((options) => hopByHop({ options })),
      { nil: undefined },
    ),
    fc.option(
      experiments.map((options) => destinationOptions({ options })),
      { nil: undefined },
    ),
    fc.option(routingHeader, { nil: undefined }),
    fc.option(fc.record({ id: u(32), reserved: u(8), reservedBits: u(2) }).map(ipv6Fragment), { nil: undefined }),
  )
  .map((headers) => headers.filter((header): header is NonNullable<typeof header> => header !== undefined));

const transport = (version: 4 | 6): fc.Arbitrary<AnyLayer[]> =>
  fc.oneof(
    { weight: 4, arbitrary: fc.tuple(tcpSegment, data).map(([head, content]) => [head, ...content]) },
    { weight: 2, arbitrary: fc.tuple(udpDatagram, data).map(([head, content]) => [head, ...content]) },
    { weight: 2, arbitrary: version === 4 ? icmpMessage : icmpv6Message },
    { weight: 1, arbitrary: fc.tuple(bytes(1, 40)).map(([content]) => [payload(content)]) },
  );

const ipPacket = (inner: (version: 4 | 6) => fc.Arbitrary<AnyLayer[]>): fc.Arbitrary<AnyLayer[]> =>
  fc.oneof(
    fc.tuple(ip(4), inner(4)).map(([head, rest]) => [head, ...rest]),
    fc.tuple(ip(6), extensions, inner(6)).map(([head, headers, rest]) => [head, ...headers, ...rest]),
  );

const arpPacket = fc
  .record({ operation: fc.integer({ min: 1, max: 4 }), senderMac: mac, senderIp: v4, targetMac: mac, targetIp: v4 })
  .map((fields): AnyLayer[] => [arp(fields)]);

const tags: fc.Arbitrary<AnyLayer[]> = fc.array(
  fc.record({ id: u(12), priority: u(3), dropEligible: fc.boolean() }).map(vlan),
  { maxLength: 2 },
);

const frame = (inner: fc.Arbitrary<AnyLayer[]>): fc.Arbitrary<AnyLayer[]> =>
  fc
    .tuple(fc.record({ source: mac, destination: mac }).map(ethernet), tags, inner)
    .map(([head, before, rest]) => [head, ...before, ...rest]);

const plain = ipPacket(transport);

const tunnelled = (version: 4 | 6): fc.Arbitrary<AnyLayer[]> =>
  fc.oneof(
    fc
      .tuple(
        fc.record({ sourcePort: port, destinationPort: fc.constant(VXLAN_PORT), checksum }).map(udp),
        fc.record({ vni: u(24), reservedLast: u(8), reserved: u(16) }).map(vxlan),
        frame(plain),
      )
      .map(([head, tunnel, inner]): AnyLayer[] => [head, tunnel, ...inner]),
    fc
      .tuple(
        fc
          .record({
            checksum,
            key: fc.option(u(32), { nil: undefined }),
            sequence: fc.option(u(32), { nil: undefined }),
          })
          .map(gre),
        fc.oneof(plain, frame(plain)),
      )
      .map(([head, inner]): AnyLayer[] => [head, ...inner]),
    plain.filter(([first]) => version === 4 || first?.kind === 'ipv6' || first?.kind === 'ipv4'),
  );

/** Whole frames, with tunnels among them. */
export const anyFrame: fc.Arbitrary<AnyLayer[]> = fc.oneof(
  { weight: 6, arbitrary: frame(plain) },
  { weight: 2, arbitrary: frame(ipPacket(tunnelled)) },
  { weight: 1, arbitrary: frame(arpPacket) },
);
