import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { craftPackets, u16 } from '../support/crafted-packets.js';
import { type Captured, runTcpdump } from '../support/filter-runner.js';
import type { Recording } from '../support/kernel-recording.js';
import { Topology } from '../support/kernel-topology.js';
import { recordAll } from '../support/kernel-traffic.js';
import { EMULATED } from '../support/machine.js';

/** Each run of the tracer takes seconds there. */
const ETHERNET_HEADER = 14;
const [DLT_EN10MB, DLT_RAW] = [1, 101];

const frames = craftPackets(EMULATED ? 150 : 250);
const isIp = (frame: Uint8Array) => ['0800', '86dd'].includes(Buffer.from(frame.subarray(12, 14)).toString('hex'));
const ipPackets = frames.filter(isIp).map((frame) => frame.subarray(ETHERNET_HEADER));
const bytes = (hex: string) => Buffer.from(hex, 'hex');
const ipType = (packet: Uint8Array) => (packet[0]! >> 4 === 6 ? 0x86dd : 0x0800);
const geneve = (type: number, options: string) =>
  Buffer.concat([Buffer.from([options.length / 8, 0]), u16(type), bytes('00002a00'), bytes(options)]);
const OPTION = '0102000100000000';

/** What is sent: to a UDP port, or as what IP carries, with a header before the inner packets. */
interface Tunnel {
  port?: number;
  protocol?: number;
  head: (inner: Uint8Array) => Uint8Array;
  linkType: number;
  inner: readonly Uint8Array[];
}

const ofFrames = { linkType: DLT_EN10MB, inner: frames };
const ofPackets = { linkType: DLT_RAW, inner: ipPackets };
const TUNNELS: Readonly<Record<string, Tunnel>> = {
  VXLAN: { port: 4789, head: () => bytes('0800000000002a00'), ...ofFrames },
  "VXLAN on Linux' old port": { port: 8472, head: () => bytes('0800000000002a00'), ...ofFrames },
  'Geneve of Ethernet': { port: 6081, head: () => geneve(0x6558, ''), ...ofFrames },
  'Geneve of Ethernet, with options': { port: 6081, head: () => geneve(0x6558, OPTION + OPTION), ...ofFrames },
  'Geneve of IP': { port: 6081, head: (inner) => geneve(ipType(inner), OPTION), ...ofPackets },
  'GRE of Ethernet': { protocol: 47, head: () => bytes('00006558'), ...ofFrames },
  'GRE of IP, with key and sequence number': {
    protocol: 47,
    head: (inner) => Buffer.concat([bytes('3000'), u16(ipType(inner)), bytes('0000002a00000007')]),
    ...ofPackets,
  },
  IPIP: { protocol: 4, head: () => bytes(''), ...ofPackets, inner: ipPackets.filter((one) => ipType(one) === 0x0800) },
  SIT: { protocol: 41, head: () => bytes(''), ...ofPackets, inner: ipPackets.filter((one) => ipType(one) === 0x86dd) },
};
const EXPRESSIONS = [
  'udp port 53 or tcp port 80',
  'ip6 and tcp',
  'tcp[tcpflags] & (tcp-syn|tcp-fin) != 0',
  'vlan and ip6',
  'vlan and (tcp or udp portrange 1-1000)',
  'host 10.0.0.1 and not icmp',
  'ip6 protochain 6',
  'ether host 02:00:00:00:00:01',
  'greater 100 and ip',
  'src net fd00:1:2:3::/64 or dst net 192.168.0.0/16',
  'arp or icmp6',
  'ip[6:2] & 0x1fff != 0',
].slice(0, EMULATED ? 3 : undefined);

/** Where each packet is sent to, so that the trace tells which it was. */
const placeOf = (tunnel: number, i: number) => `127.${10 + tunnel}.${i >> 8}.${i & 255}`;
const SEND = `
import json, socket, sys
sockets = {}
for protocol, port, address, data in json.load(sys.stdin):
    kind = (socket.SOCK_RAW, protocol) if protocol else (socket.SOCK_DGRAM, 0)
    if kind not in sockets:
        sockets[kind] = socket.socket(socket.AF_INET, *kind)
    try:
        sockets[kind].sendto(bytes.fromhex(data), (address, port))
    except ConnectionRefusedError:
        sockets[kind].sendto(bytes.fromhex(data), (address, port))
`;

const net = new Topology();
let recordings: ReadonlyMap<string, Recording>;

beforeAll(async () => {
  net.add('alone');
  const agent = await net.agent('alone');
  const packets = Object.values(TUNNELS).flatMap(({ protocol = 0, port = 0, head, inner }, tunnel) =>
    inner.map((one, i) => [protocol, port, placeOf(tunnel, i), Buffer.concat([head(one), one]).toString('hex')]),
  );
  const runs = EXPRESSIONS.map((filterTunnel) => [
    filterTunnel,
    { filterTunnel, netns: net.namespace('alone'), trace: ['net_dev_queue'], sample: 'off' },
  ]);
  recordings = await recordAll(Object.fromEntries(runs), async () => {
    const { status, stderr } = await agent.run(['/usr/bin/python3', '-E', '-c', SEND], JSON.stringify(packets));
    expect(status, stderr).toBe(0);
  });
}, 600_000);
afterAll(() => net.close());

describe.each(Object.entries(TUNNELS))('--filter-tunnel and tcpdump agree on what is in %s', (_name, tunnel) => {
  const number = Object.values(TUNNELS).indexOf(tunnel);
  const captured = tunnel.inner.map((one): Captured => ({ bytes: one, length: one.length }));
  const verdicts = runTcpdump(EXPRESSIONS, captured, tunnel.linkType);
  it.each(EXPRESSIONS.map((expression, i) => [expression, i] as const))('%s', (expression, i) => {
    const theirs = verdicts[i];
    const seen = new Set(recordings.get(expression)!.traces.map(({ tuple }) => tuple?.daddr));
    const ours = captured.map((_, at) => seen.has(placeOf(number, at)));
    // what a link type does not have matches nothing of it
    const wanted = typeof theirs === 'string' || !theirs ? captured.map(() => false) : theirs;
    const different = ours.flatMap((verdict, at) => (verdict === wanted[at] ? [] : [at]));
    expect(different.map((at) => `${at}: ${ours[at]}: ${Buffer.from(captured[at]!.bytes).toString('hex')}`)).toEqual(
      [],
    );
  });
});

it('and of each expression some match and some do not', () => {
  const sent = Object.values(TUNNELS).reduce((sum, { inner }) => sum + inner.length, 0);
  for (const [expression, { traces }] of recordings) {
    expect(traces.length, expression).toBeGreaterThan(0);
    expect(traces.length, expression).toBeLessThan(sent);
  }
});
