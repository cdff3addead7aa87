/** Packets byte by byte, right and wrong ones, with Ethernet headers. */

/** A whole number from 0 to below `limit`. */
export type Random = (limit: number) => number;

/** The same numbers at every run (mulberry32). */
export function seededRandom(seed: number): Random {
  let state = seed;
  return (limit) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % limit;
  };
}

const PORTS = [22, 53, 80, 443, 4789, 6081, 8000, 8472, 40000];
const V4 = ['10.0.0.1', '10.0.0.2', '192.168.1.7', '224.0.0.5', '255.255.255.255', '127.0.0.1'];
const V6_LAST = [1, 2, 0x42, 0xff];
const MACS = ['020000000001', '020000000002', 'ffffffffffff', '01005e000005', '333300000001'];

export const u16 = (value: number) => Buffer.from([value >> 8, value & 0xff]);
const pick = <T>(random: Random, list: readonly T[]): T => list[random(list.length)] as T;
const v4Bytes = (address: string) => Buffer.from(address.split('.').map(Number));
const noise = (random: Random, size: number) => Buffer.from(Array.from({ length: size }, () => random(256)));

function v6Address(random: Random): Buffer {
  const prefix = pick(random, [
    'fd000001000200030000000000000000',
    'fe800000000000000000000000000000',
    'ff020000000000000000000000000000',
  ]);
  const bytes = Buffer.from(prefix, 'hex');
  bytes[15] = pick(random, V6_LAST);
  return bytes;
}

export function ethernet(random: Random, type: number, payload: Buffer): Buffer {
  return Buffer.concat([Buffer.from(pick(random, MACS) + pick(random, MACS), 'hex'), u16(type), payload]);
}

export const vlanTag = (id: number, type: number, payload: Buffer) => Buffer.concat([u16(id), u16(type), payload]);

function tcp(random: Random): Buffer {
  const options = noise(random, random(3) * 4);
  const header = Buffer.concat([
    ...[u16(pick(random, PORTS)), u16(pick(random, PORTS)), noise(random, 8)],
    Buffer.from([((20 + options.length) / 4) << 4, random(256)]),
    ...[noise(random, 6), options],
  ]);
  return Buffer.concat([header, noise(random, random(40))]);
}

function udp(random: Random, port = pick(random, PORTS), payload = noise(random, random(60))): Buffer {
  return Buffer.concat([u16(pick(random, PORTS)), u16(port), u16(8 + payload.length), u16(random(65536)), payload]);
}

const icmp = (random: Random) =>
  Buffer.concat([Buffer.from([pick(random, [0, 3, 5, 8, 11]), random(4)]), noise(random, 20)]);
const icmp6 = (random: Random) =>
  Buffer.concat([Buffer.from([pick(random, [1, 2, 128, 129, 135, 136]), random(4)]), noise(random, 24)]);

/** The same header with other numbers for what the kind of packet does not say. */
export function ipv4(random: Random, protocol: number, payload: Buffer): Buffer {
  const options = noise(random, random(4) === 0 ? 4 * random(11) : 0);
  const fragment = pick(random, [0, 0, 0, 0, 0x4000, 0x2000, 0x2010, 0x0010]);
  const header = Buffer.concat([
    Buffer.from([0x40 | ((20 + options.length) / 4), random(256)]),
    ...[u16(20 + options.length + payload.length), u16(random(65536)), u16(fragment)],
    Buffer.from([random(256), protocol]),
    ...[u16(random(65536)), v4Bytes(pick(random, V4)), v4Bytes(pick(random, V4)), options],
  ]);
  return Buffer.concat([header, payload]);
}

/** With up to three extension headers. */
export function ipv6(random: Random, next: number, payload: Buffer): Buffer {
  let [type, body] = [next, payload];
  for (let i = random(3) === 0 ? random(4) : 0; i > 0; i--) {
    const extension = pick(random, [0, 43, 44, 60, 51]);
    const bytes = extension === 44 ? noise(random, 7) : Buffer.concat([Buffer.from([0]), noise(random, 6)]);
    body = Buffer.concat([Buffer.from([type]), bytes, body]);
    type = extension;
  }
  const addresses = [v6Address(random), v6Address(random)];
  return Buffer.concat([
    Buffer.from([0x60, random(16), 0, 0]),
    u16(body.length),
    Buffer.from([type, random(256)]),
    ...addresses,
    body,
  ]);
}

/** An IP packet with its ethertype. */
function ipPacket(random: Random): [number, Buffer] {
  if (random(2) === 0) {
    const [protocol, make] = pick(random, [
      [6, tcp],
      [6, tcp],
      [17, udp],
      [1, icmp],
      [2, icmp],
      [132, udp],
      [89, icmp],
    ] as const);
    return [0x0800, ipv4(random, protocol, make(random))];
  }
  const [next, make] = pick(random, [
    [6, tcp],
    [6, tcp],
    [17, udp],
    [58, icmp6],
    [132, udp],
    [59, icmp],
  ] as const);
  return [0x86dd, ipv6(random, next, make(random))];
}

const anyFrame = (random: Random): Buffer => ethernet(random, ...ipPacket(random));

function arp(random: Random): Buffer {
  const header = Buffer.from([0, 1, 8, 0, 6, 4, 0, 1 + random(2)]);
  const [sender, target] = [v4Bytes(pick(random, V4)), v4Bytes(pick(random, V4))];
  return Buffer.concat([header, noise(random, 6), sender, noise(random, 6), target, noise(random, 18)]);
}

function tunnel(random: Random): [number, Buffer] {
  const [type, inner] = ipPacket(random);
  const outer = (protocol: number, payload: Buffer): [number, Buffer] =>
    random(3) === 0 ? [0x86dd, ipv6(random, protocol, payload)] : [0x0800, ipv4(random, protocol, payload)];
  switch (random(5)) {
    case 0:
      return outer(
        17,
        udp(
          random,
          pick(random, [4789, 8472]),
          Buffer.concat([Buffer.from('0800000000002a00', 'hex'), anyFrame(random)]),
        ),
      );
    case 1: {
      const options = random(4);
      const header = Buffer.concat([Buffer.from([options, 0]), u16(0x6558), noise(random, 4 + options * 4)]);
      return outer(17, udp(random, 6081, Buffer.concat([header, anyFrame(random)])));
    }
    case 2:
      return outer(47, Buffer.concat([u16(0), u16(0x6558), anyFrame(random)]));
    case 3: {
      const flags = pick(random, [0x0000, 0x2000, 0xb000]);
      const optional = noise(random, flags === 0 ? 0 : flags === 0x2000 ? 4 : 12);
      return outer(47, Buffer.concat([u16(flags), u16(type), optional, inner]));
    }
    default:
      return outer(type === 0x0800 ? 4 : 41, inner);
  }
}

/** VLAN tags, MPLS labels and PPPoE sessions in front of an IP packet. */
function encapsulated(random: Random): Buffer {
  const [type, packet] = ipPacket(random);
  const id = pick(random, [0, 5, 6, 100, 4095]);
  switch (random(5)) {
    case 0:
      return ethernet(random, 0x8100, vlanTag(id, type, packet));
    case 1:
      return ethernet(random, 0x88a8, vlanTag(id, 0x8100, vlanTag(pick(random, [5, 6]), type, packet)));
    case 2:
      return ethernet(random, 0x8100, vlanTag(id, 0x8100, vlanTag(pick(random, [5, 6]), type, packet)));
    case 3:
      return ethernet(random, 0x8847, Buffer.concat([Buffer.from([0, 0x40, 0x01, 64]), packet]));
    default:
      return ethernet(
        random,
        0x8864,
        Buffer.concat([
          Buffer.from([0x11, 0, 0, 7]),
          u16(packet.length + 2),
          u16(type === 0x0800 ? 0x21 : 0x57),
          packet,
        ]),
      );
  }
}

/** A packet that was cut, or of which a byte is wrong, or nothing of a packet at all. */
function broken(random: Random): Buffer {
  const frame = random(3) === 0 ? encapsulated(random) : anyFrame(random);
  switch (random(4)) {
    case 0:
      return frame.subarray(0, random(frame.length));
    case 1:
      return ethernet(random, random(0x600), noise(random, random(80)));
    case 2:
      return ethernet(random, pick(random, [0x0800, 0x86dd, 0x0806, 0x88cc, 0x8100]), noise(random, random(50)));
    default:
      frame[12 + random(frame.length - 12)] = random(256);
      return frame;
  }
}

/** Packets of all kinds, the same ones for the same seed. */
export function craftPackets(count: number, seed = 1): Buffer[] {
  const random = seededRandom(seed);
  const makers: ((random: Random) => Buffer)[] = [
    ...[anyFrame, anyFrame, anyFrame, encapsulated, encapsulated, broken],
    (r) => ethernet(r, ...tunnel(r)),
    (r) => ethernet(r, 0x0806, arp(r)),
  ];
  return Array.from({ length: count }, () => pick(random, makers)(random));
}
