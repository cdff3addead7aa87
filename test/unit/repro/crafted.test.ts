import { describe, expect, it } from 'vitest';
import type { CraftedPacket } from '../../../src/repro/crafted/crafted-host.js';
import { Inbox } from '../../../src/repro/crafted/inbox.js';
import { groupMac, neighbourAnswer, neighbourQuestion } from '../../../src/repro/crafted/neighbours.js';
import { isMatch, matchText } from '../../../src/repro/crafted/packet-match.js';
import {
  type AnyLayer,
  arp,
  build,
  ethernet,
  findLayer,
  gre,
  icmp,
  ipv4,
  ipv6,
  neighborSolicitation,
  parse,
  payload,
  summarize,
  tcp,
  udp,
} from '../../../src/repro/packet/index.js';

const v4 = ipv4({ source: '10.0.0.1', destination: '10.0.0.2' });
const syn = [ethernet(), v4, tcp({ sourcePort: 5, destinationPort: 6, flags: 'SEC', seq: 7 })];

function packet(layers: readonly AnyLayer[]): CraftedPacket {
  const bytes = build(layers);
  return { direction: 'in', time: 0n, bytes, ...parse(bytes) };
}

describe('a match', () => {
  it('is of all fields that are given, with flags in any order', () => {
    expect(isMatch(packet(syn), {})).toBe(true);
    expect(isMatch(packet(syn), { tcp: {} })).toBe(true);
    expect(isMatch(packet(syn), { tcp: { flags: 'CES', seq: 7 }, ipv4: { source: '10.0.0.1' } })).toBe(true);
    expect(isMatch(packet(syn), { tcp: { flags: 'S' } })).toBe(false);
    expect(isMatch(packet(syn), { tcp: { flags: 'CES' }, udp: {} })).toBe(false);
    expect(isMatch(packet(syn), (one) => one.layers.length === 3)).toBe(true);
  });

  it('compares bytes and lists by what is in them', () => {
    const signed = [
      v4,
      tcp({ sourcePort: 5, destinationPort: 6, options: [{ kind: 'mss', value: 1 }] }),
      payload('data'),
    ];
    const one = packet([ethernet(), ...signed]);
    expect(isMatch(one, { payload: { data: Buffer.from('data') } })).toBe(true);
    expect(isMatch(one, { payload: { data: Buffer.from('date') } })).toBe(false);
    expect(isMatch(one, { tcp: { options: [{ kind: 'mss', value: 1 }] } })).toBe(true);
  });

  it('is named in messages', () => {
    expect(matchText({ tcp: { flags: 'SA', ack: 5 }, ipv4: {} })).toBe('with tcp flags:SA ack:5, ipv4');
    expect(matchText({})).toBe('of any kind');
  });
});

describe('an inbox', () => {
  const [first, second] = [packet(syn), packet([ethernet(), v4, udp({ sourcePort: 1, destinationPort: 2 })])];

  it('gives each packet once, whether it was there before or comes later', async () => {
    const inbox = new Inbox();
    inbox.add(first);
    inbox.add(second);
    expect(await inbox.take({ udp: {} }, 1000)).toBe(second);
    expect(await inbox.take({ tcp: {} }, 1000)).toBe(first);
    const waiting = inbox.take({ udp: {} }, 1000);
    const two = [inbox.take({ tcp: {} }, 1000), inbox.take({ tcp: {} }, 1000)];
    for (const one of [first, second, packet(syn)]) inbox.add(one);
    expect(await waiting).toBe(second);
    expect(new Set(await Promise.all(two)).size).toBe(2);
  });

  it('says what came instead, and hands on what a match function throws', async () => {
    const inbox = new Inbox();
    for (let i = 0; i < 12; i++) inbox.add(packet(syn));
    await expect(inbox.take({ udp: {} }, 5)).rejects.toThrow(
      /^no packet with udp: not within 5 ms; what came instead: (TCP: 10.0.0.1:5 -> 10.0.0.2:6 seq:7, ack:0, flags:SEC; ){10}and 2 before$/,
    );
    const broken = () => {
      throw new RangeError('of the match');
    };
    await expect(inbox.take(broken, 5)).rejects.toThrow('of the match');
    inbox.close(new Error('over'));
    await expect(inbox.take({ udp: {} }, 1000)).rejects.toThrow('over');
    expect(findLayer((await inbox.take({ tcp: {} }, 1000)).layers, 'tcp')?.seq).toBe(7); // what is there is still given
  });
});

describe('neighbours', () => {
  it('are asked by ARP, or where the solicited node listens', () => {
    const own = { mac: '02:00:00:00:00:01' };
    const question = packet(neighbourQuestion('10.0.0.2', { ...own, address: '10.0.0.1' }));
    expect(summarize(question.layers)).toBe('ARP: 10.0.0.1 asks for 10.0.0.2');
    const { layers } = packet(neighbourQuestion('fd00::1:203:405', { ...own, address: 'fd00::1' }));
    expect(findLayer(layers, 'ethernet')?.destination).toBe('33:33:ff:03:04:05');
    expect(findLayer(layers, 'ipv6')).toMatchObject({ destination: 'ff02::1:ff03:405', hopLimit: 255 });
  });

  it('are answered for the own addresses only, also where they look for duplicates', () => {
    const isOwn = (address: string) => address === 'fd00::1';
    const ask = (source: string, target: string) =>
      packet([
        ethernet(),
        ipv6({ source, destination: 'ff02::1:ff00:1', hopLimit: 255 }),
        neighborSolicitation(target),
      ]);
    expect(neighbourAnswer(ask('fd00::2', 'fd00::3').layers, isOwn, '02:00:00:00:00:01')).toBeUndefined();
    const answer = packet(neighbourAnswer(ask('fd00::2', 'fd00::1').layers, isOwn, '02:00:00:00:00:01')!);
    expect(findLayer(answer.layers, 'ipv6')).toMatchObject({ source: 'fd00::1', destination: 'fd00::2' });
    expect(findLayer(answer.layers, 'icmpv6')?.message).toMatchObject({ solicited: true, target: 'fd00::1' });
    const toAll = packet(neighbourAnswer(ask('::', 'fd00::1').layers, isOwn, '02:00:00:00:00:01')!);
    expect(findLayer(toAll.layers, 'ipv6')?.destination).toBe('ff02::1');
    expect(findLayer(toAll.layers, 'icmpv6')?.message).toMatchObject({ solicited: false });
  });

  it('of groups are known', () => {
    expect(groupMac('224.129.2.3')).toBe('01:00:5e:01:02:03');
    expect(groupMac('255.255.255.255')).toBe('ff:ff:ff:ff:ff:ff');
    expect(groupMac('ff02::1:2')).toBe('33:33:00:01:00:02');
    expect([groupMac('10.0.0.1'), groupMac('fd00::1')]).toEqual([undefined, undefined]);
  });
});

describe('a packet in one line', () => {
  it.each<[readonly AnyLayer[], string]>([
    [
      [
        ethernet(),
        v4,
        gre(),
        ipv6({ source: 'fd00::1', destination: 'fd00::2' }),
        udp({ sourcePort: 1, destinationPort: 2 }),
      ],
      'UDP: [fd00::1]:1 -> [fd00::2]:2 length:8',
    ],
    [[ethernet(), v4, icmp({ type: 3, code: 1 })], 'ICMP: 10.0.0.1 -> 10.0.0.2 type:3, code:1'],
    [[ethernet(), v4, payload('x')], 'IP: 10.0.0.1 -> 10.0.0.2'],
    [
      [ethernet(), arp({ operation: 2, senderIp: '10.0.0.1', senderMac: '02:00:00:00:00:01' })],
      'ARP: 10.0.0.1 is at 02:00:00:00:00:01',
    ],
    [[ethernet({ type: 0x9000 }), payload('x')], 'Ethernet: 00:00:00:00:00:00 -> 00:00:00:00:00:00 type:0x9000'],
  ])('%#', (layers, text) => {
    expect(summarize(packet(layers).layers)).toBe(text);
  });
});
