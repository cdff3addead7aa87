import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import {
  type AnyLayer,
  arp,
  build,
  ethernet,
  findLayer,
  fragment,
  gre,
  icmp,
  ipv4,
  ipv6,
  neighborSolicitation,
  parse,
  payload,
  pcapFile,
  tcp,
  tcpOption,
  udp,
  vlan,
  vxlan,
} from '../../../../src/repro/packet/index.js';

const ends = { source: '10.0.0.1', destination: '10.0.0.2' };
const ends6 = { source: 'fd00::1', destination: 'fd00::2' };

function ethertype(...behind: AnyLayer[]): number | undefined {
  return findLayer(parse(build([ethernet(), ...behind])).layers, 'ethernet')?.type;
}

describe('fields that are left out', () => {
  it('announce the next layer', () => {
    expect(ethertype(ipv4(ends))).toBe(0x0800);
    expect(ethertype(ipv6(ends6))).toBe(0x86dd);
    expect(ethertype(arp({}))).toBe(0x0806);
    expect(ethertype(vlan({ id: 1 }), ipv4(ends))).toBe(0x8100);
    expect(ethertype(vlan({ id: 1 }), vlan({ id: 2 }), ipv4(ends))).toBe(0x88a8);
    expect(ethertype(vlan({ id: 1, tpid: 0x8100 }), vlan({ id: 2 }))).toBe(0x8100);
    expect(ethertype(payload('x'))).toBe(0x88b5);
  });

  it('do not touch those that are given, right or wrong', () => {
    const layers: AnyLayer[] = [
      ipv4({ ...ends, headerLength: 24, totalLength: 1000, protocol: 17, checksum: 1 }),
      tcp({ sourcePort: 1, destinationPort: 2, headerLength: 32, checksum: 2 }),
    ];
    const bytes = Buffer.from(build(layers));
    expect(bytes).toHaveLength(40);
    expect([bytes[0], bytes.readUInt16BE(2), bytes[9], bytes.readUInt16BE(10)]).toEqual([0x46, 1000, 17, 1]);
    expect([bytes[32]! >> 4, bytes.readUInt16BE(36)]).toEqual([8, 2]);
  });

  it('put padding behind the IP packet, and count it in no length', () => {
    const bytes = build([
      ethernet(),
      ipv4({ ...ends, trailer: new Uint8Array(18) }),
      udp({ sourcePort: 1, destinationPort: 2 }),
    ]);
    expect(bytes).toHaveLength(60);
    const { layers, problems } = parse(bytes);
    expect(problems).toEqual([]);
    expect(findLayer(layers, 'ipv4')).toMatchObject({ totalLength: 28, trailer: new Uint8Array(18) });
  });
});

describe('a UDP checksum', () => {
  it('that comes out as 0 is sent as 0xffff, and is never spoilt into 0', () => {
    // contents that make the sum all ones
    const head = udp({ sourcePort: 0, destinationPort: 0 });
    const seen = Array.from({ length: 0x10000 }, (_, word) => word).find((word) => {
      const content = payload(Uint8Array.of(word >> 8, word & 0xff));
      return Buffer.from(build([ipv4(ends), head, content])).readUInt16BE(26) === 0xffff;
    });
    expect(seen).toBeDefined();
    for (let word = 0; word < 0x10000; word += 0x100) {
      const bytes = Buffer.from(
        build([ipv4(ends), { ...head, checksum: 'wrong' }, payload(Uint8Array.of(word >> 8, 0))]),
      );
      expect(bytes.readUInt16BE(26)).not.toBe(0);
      expect(parse(bytes, { first: 'ipv4' }).problems).toHaveLength(1);
    }
  });
});

describe('an MD5 signature', () => {
  it.each([
    ['IPv4', ipv4(ends), Buffer.from('0a0000010a00000200060030', 'hex')],
    ['IPv6', ipv6(ends6), Buffer.from(`fd${'0'.repeat(29)}1fd${'0'.repeat(29)}20000003000000006`, 'hex')],
  ])('over %s is that of RFC 2385', (_, ip, pseudo) => {
    const segment = tcp({
      sourcePort: 1,
      destinationPort: 2,
      seq: 5,
      flags: 'S',
      checksum: 'right',
      options: [{ kind: 'md5', key: 'secret' }],
    });
    const bytes = build([ip, segment, payload('datadata')]);
    const { layers, problems } = parse(bytes, { first: ip.kind });
    expect(problems).toEqual([]);
    const whole = Buffer.from(bytes.subarray(bytes.length - 48));
    const header = Buffer.from(whole.subarray(0, 20));
    header.writeUInt16BE(0, 16);
    const digest = createHash('md5').update(pseudo).update(header).update('datadata').update('secret').digest();
    expect(Buffer.from(tcpOption(findLayer(layers, 'tcp')!, 'md5')!.digest)).toEqual(digest);
  });

  it('takes the addresses of an IP header', () => {
    const alone = tcp({ sourcePort: 1, destinationPort: 2, options: [{ kind: 'md5', key: 'x' }] });
    expect(() => build([alone])).toThrow(/MD5 digest takes the addresses/);
  });
});

describe('a value that its field cannot hold', () => {
  const ports = { sourcePort: 1, destinationPort: 2 };

  it.each<[string, AnyLayer[], RegExp]>([
    [
      'a port',
      [tcp({ ...ports, sourcePort: 65536 })],
      /tcp.sourcePort must be a whole number from 0 to 65535, not 65536/,
    ],
    ['a fraction', [tcp({ ...ports, seq: 1.5 })], /tcp.seq must be a whole number/],
    ['not a number', [tcp({ ...ports, seq: Number.NaN })], /tcp.seq must be a whole number/],
    ['flags', [tcp({ ...ports, flags: 'X' })], /tcp.flags must be letters of SARPFUEC, not 'X'/],
    ['a header length', [tcp({ ...ports, headerLength: 21 })], /tcp.headerLength must be a multiple of 4 bytes/],
    ['an address', [ipv4({ ...ends, source: 'fd00::1' })], /ipv4.source must be an IPv4 address, not 'fd00::1'/],
    ['an IPv6 address', [ipv6({ ...ends6, source: '10.0.0.1' })], /ipv6.source must be an IPv6 address/],
    ['a MAC address', [ethernet({ source: '1:2' })], /ethernet.source must be a MAC address/],
    ['a fragment offset', [ipv4({ ...ends, fragmentOffset: 4 })], /ipv4.fragmentOffset must be a multiple of 8 bytes/],
    ['a VLAN', [vlan({ id: 4096 })], /vlan.id must be a whole number from 0 to 4095/],
    ['a VNI', [vxlan({ vni: 2 ** 24 })], /vxlan.vni must be/],
    ['GRE flags', [gre({ moreFlags: 0x2000 })], /gre.moreFlags has bits of other fields: 0x2000/],
    [
      'too many options',
      [tcp({ ...ports, options: new Array(41).fill({ kind: 'nop' }) })],
      /tcp.headerLength \(in words\)/,
    ],
    ['too much data', [ipv4(ends), payload(new Uint8Array(65536))], /ipv4.totalLength must be/],
    ['a layer behind a payload', [payload('x'), icmp({ type: 8 })], /nothing can follow a payload/],
    ['an option', [neighborSolicitation('fd00::1', { options: [{ kind: 'unknown', number: 9, data: new Uint8Array(3) }] })], /multiple of 8/], // biome-ignore format: a table
  ])('%s is a RangeError', (_, layers, message) => {
    expect(() => build(layers)).toThrow(RangeError);
    expect(() => build(layers)).toThrow(message);
  });
});

describe('what no compiler has looked at', () => {
  const segment = { sourcePort: 1, destinationPort: 2 };
  const records = (...list: unknown[]) => pcapFile(list as never);

  it.each<[string, () => unknown, RegExp]>([
    ['no array', () => build('x' as never), /^TypeError: a packet is an array of layers, not 'x'$/],
    ['no layer', () => build([undefined as never]), /^TypeError: layer 0 must be made by .*, and is undefined$/],
    ['an unknown layer', () => build([ethernet(), { kind: 'sctp' } as never]), /^TypeError: layer 1 must be made by/],
    [
      'an unknown field',
      () => build([tcp({ ...segment, sequence: 1 } as never)]),
      /^TypeError: tcp has no field 'sequence'/,
    ],
    [
      'an unknown field inside',
      () => build([ethernet(), ipv4({ ...ends, tos: 1 } as never)]),
      /^TypeError: ipv4 has no field 'tos'/,
    ],
    [
      'a word that is no checksum',
      () => build([ipv4({ ...ends, checksum: 'rong' as never })]),
      /^RangeError: a checksum must be 'right', 'wrong' or a number, not 'rong'$/,
    ],
    [
      'a flag twice',
      () => build([tcp({ ...segment, flags: 'SS' })]),
      /^RangeError: tcp.flags has a letter twice: 'SS'$/,
    ],
    [
      'an unknown option',
      () => build([tcp({ ...segment, options: [{ kind: 'msss' } as never] })]),
      /^RangeError: there is no tcp option of the kind 'msss'$/,
    ],
    [
      'an option without its bytes',
      () => build([tcp({ ...segment, options: [{ kind: 'unknown', number: 77 } as never] })]),
      /^TypeError: data of a tcp option must be a Uint8Array, not undefined$/,
    ],
    [
      'an IP option without its bytes',
      () => build([ipv4({ ...ends, options: [{ type: 7 } as never] })]),
      /^TypeError: ipv4.options: data must be/,
    ],
    [
      'a trailer that is text',
      () => build([udp({ ...segment, trailer: 'x' as never })]),
      /^TypeError: udp.trailer must be a Uint8Array/,
    ],
    [
      'a payload that is text',
      () => build([{ kind: 'payload', data: 'x' as never }]),
      /^TypeError: payload.data must be a Uint8Array/,
    ],
    [
      'an unknown rest',
      () => build([icmp({ type: 8, rest: { kind: 'eko' } as never })]),
      /^RangeError: there is no icmp rest of the kind 'eko'$/,
    ],
    [
      'an unknown message',
      () => build([ipv6(ends6), { kind: 'icmpv6', type: 1, message: { kind: 'eko' } as never }]),
      /^RangeError: there is no icmpv6 message of the kind 'eko'$/,
    ],
    [
      'an unknown option of neighbour discovery',
      () => build([ipv6(ends6), neighborSolicitation('fd00::1', { options: [{ kind: 'x' } as never] })]),
      /^RangeError: there is no option of neighbour discovery of the kind 'x'$/,
    ],
    [
      'an MTU that is no number',
      () => fragment([ipv4(ends), payload('x')], Number.NaN),
      /^RangeError: mtu must be a whole number/,
    ],
    ['fragments of no layers', () => fragment(undefined as never, 1500), /^TypeError: a packet is an array of layers/],
    ['a record without bytes', () => records({}), /^TypeError: bytes must be a Uint8Array, not undefined$/],
    [
      'a record with a number as its time',
      () => records({ bytes: new Uint8Array(1), time: 1 }),
      /^TypeError: time must be a bigint of nanoseconds, not 1$/,
    ],
  ])('is refused with its name: %s', (_, make, message) => {
    const thrown = () => {
      try {
        make();
      } catch (error) {
        return String(error);
      }
      return 'nothing';
    };
    expect(thrown()).toMatch(message);
  });
});
