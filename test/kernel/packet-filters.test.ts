import { spawnSync } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { SkbTrace, TraceOptions } from '../../dist/index.js';
import { CLI_PROGRAM, Cli } from '../support/kernel-cli.js';
import type { Recording } from '../support/kernel-recording.js';
import { Topology } from '../support/kernel-topology.js';
import { recordAll, shortConnection } from '../support/kernel-traffic.js';

const PORT = 8000;
const UDP_PORT = 5303;
const VLAN = 5;
const PROBES = ['net_dev_queue', 'netif_receive_skb', '__dev_queue_xmit', '__netif_receive_skb_core'];

const net = new Topology();
const CLIENT = `${net.v4}.1.1`;
const SERVER = `${net.v4}.1.2`;
const CLIENT_V6 = `${net.v6}:1::1`;
const SERVER_V6 = `${net.v6}:1::2`;
/** Kinds of devices, each with its own addresses; not every kernel has them. */
const DEVICES = {
  vlan: { subnet: 5, add: () => `link LOWER type vlan id ${VLAN}` },
  vxlan: {
    subnet: 42,
    add: (local: string, remote: string) => `type vxlan id 42 dstport 4789 local ${local} remote ${remote}`,
  },
  gre: { subnet: 43, add: (local: string, remote: string) => `type gre local ${local} remote ${remote}` },
  ipip: { subnet: 44, add: (local: string, remote: string) => `type ipip local ${local} remote ${remote}` },
} as const;
type Device = keyof typeof DEVICES;
const present = new Set<Device>();
const inside = (device: Device, host: number) => `${net.v4}.${DEVICES[device].subnet}.${host}`;

/** A tag that stands in the packet's data, as a packet socket sends it. */
const TAGGED_SOURCE = `${net.v4}.9.9`;
const SEND_TAGGED = `
from scapy.all import Dot1Q, Ether, IP, UDP, sendp
sendp(Ether(dst='ff:ff:ff:ff:ff:ff') / Dot1Q(vlan=${VLAN}) / IP(src='${TAGGED_SOURCE}', dst='${net.v4}.9.8') / UDP(dport=9), iface='c0', verbose=False)
`;

const FILTERS: Record<string, TraceOptions> = {
  'flags of TCP': { expression: `tcp port ${PORT} and tcp[tcpflags] & tcp-fin != 0` },
  'UDP over IPv6': { expression: `ip6 and udp port ${UDP_PORT}` },
  'an expression and an option': { expression: 'ip or ip6', sport: [UDP_PORT], proto: 'ipv6' },
  'an Ethernet address': { expression: 'ether broadcast and vlan and udp' },
  'a tag in the data': { expression: `vlan ${VLAN} and udp and src host ${TAGGED_SOURCE}` },
  'a tag beside the data': {
    expression: `vlan ${VLAN} and udp dst port ${UDP_PORT} and dst host ${inside('vlan', 2)}`,
  },
  'what is in VXLAN': { filterTunnel: `udp dst port ${UDP_PORT} and src host ${inside('vxlan', 1)}` },
  'what is in GRE': { filterTunnel: `udp dst port ${UDP_PORT} and src host ${inside('gre', 1)}` },
  'what is in IPIP': { filterTunnel: `udp dst port ${UDP_PORT} and src host ${inside('ipip', 1)}` },
  'fields of the skb': { filterMeta: 'dev.name == "s0" && protocol == 0x86dd && !(mark & 1)', proto: 'udp' },
  'all three at once': {
    expression: 'udp port 4789',
    filterTunnel: `src host ${inside('vxlan', 1)} and udp`,
    filterMeta: 'dev.name == "c0"',
  },
};
let recordings: ReadonlyMap<string, Recording> = new Map();

/** Names of their own: ip_gre makes a gre0 in each namespace. */
function addDevice(device: Device): void {
  const ends = [
    { node: 'client', lower: 'c0', local: CLIENT, remote: SERVER, host: 1 },
    { node: 'server', lower: 's0', local: SERVER, remote: CLIENT, host: 2 },
  ];
  for (const { node, lower, local, remote, host } of ends) {
    const words = `link add name t-${device} ${DEVICES[device].add(local, remote).replace('LOWER', lower)}`.split(' ');
    if (spawnSync('ip', ['-n', net.namespace(node), ...words]).status !== 0) return;
    net.ip(node, `address add ${inside(device, host)}/24 dev t-${device}`, `link set t-${device} up`);
  }
  present.add(device);
}

beforeAll(async () => {
  net.add('client', 'server');
  await net.join(
    { node: 'client', ifname: 'c0', addresses: [`${CLIENT}/24`, `${CLIENT_V6}/64`] },
    { node: 'server', ifname: 's0', addresses: [`${SERVER}/24`, `${SERVER_V6}/64`] },
  );
  for (const device of Object.keys(DEVICES) as Device[]) addDevice(device);
  const [client, server] = [await net.agent('client'), await net.agent('server')];
  const runs = Object.entries(FILTERS).map(([name, options]) => [name, { addr: net.nets, trace: PROBES, ...options }]);
  recordings = await recordAll(Object.fromEntries(runs), async () => {
    await shortConnection(client, server, [CLIENT, 40000], [SERVER, PORT]);
    const pairs = [
      [CLIENT, SERVER],
      [CLIENT_V6, SERVER_V6],
      ...[...present].map((device) => [inside(device, 1), inside(device, 2)] as const),
    ] as const;
    for (const [from, to] of pairs) {
      const receiver = await server.bound(to, UDP_PORT, 'SOCK_DGRAM');
      const sender = await client.bound(from, UDP_PORT, 'SOCK_DGRAM');
      await sender.call('sendto', 'hello', [to, UDP_PORT]);
      await receiver.call('recv', 1000);
      await sender.close();
      await receiver.close();
    }
    const { status, stderr } = await client.run(['/usr/bin/python3', '-E', '-c', SEND_TAGGED]);
    expect(status, stderr).toBe(0);
  });
}, 600_000);
afterAll(() => net.close());

/** A test over the traces that came through the filter of that name. */
function through(name: string, device: Device | undefined, check: (traces: readonly SkbTrace[]) => void): void {
  it(name, (ctx) => {
    if (device && !present.has(device)) ctx.skip(`the kernel has no ${device} devices`);
    const { traces } = recordings.get(name)!;
    expect(traces.length).toBeGreaterThan(0);
    check(traces);
  });
}
const udpPorts = (traces: readonly SkbTrace[]) => new Set(traces.map(({ proto, tuple }) => `${proto} ${tuple?.dport}`));

describe('a filter expression lets through, for', () => {
  through('flags of TCP', undefined, (traces) => {
    for (const one of traces) expect(one.events.find((e) => e.tcp)?.tcp?.flags).toContain('F');
  });
  for (const name of ['UDP over IPv6', 'an expression and an option', 'fields of the skb']) {
    through(name, undefined, (traces) => {
      expect(udpPorts(traces)).toEqual(new Set([`udp ${UDP_PORT}`]));
      expect(new Set(traces.map(({ tuple }) => tuple?.saddr))).toEqual(new Set([CLIENT_V6]));
    });
  }
  through('an Ethernet address', undefined, (traces) => {
    expect(new Set(traces.map(({ tuple }) => tuple?.saddr))).toEqual(new Set([TAGGED_SOURCE]));
  });
  through('a tag in the data', undefined, (traces) => {
    expect(new Set(traces.map(({ tuple }) => tuple?.saddr))).toEqual(new Set([TAGGED_SOURCE]));
  });
  through('a tag beside the data', 'vlan', (traces) => {
    expect(new Set(traces.map(({ tuple }) => tuple?.daddr))).toEqual(new Set([inside('vlan', 2)]));
    // on the VLAN's own device the packet has no tag yet
    expect(traces[0]?.events[0]?.ifname).toBe('c0');
  });
  through('what is in VXLAN', 'vxlan', (traces) => {
    expect(udpPorts(traces)).toEqual(new Set(['udp 4789']));
  });
  for (const device of ['gre', 'ipip'] as const) {
    through(`what is in ${device.toUpperCase()}`, device, (traces) => {
      expect(new Set(traces.map(({ tuple }) => tuple?.saddr))).toEqual(new Set([CLIENT]));
      expect(new Set(traces.map(({ tuple }) => tuple?.daddr))).toEqual(new Set([SERVER]));
    });
  }
  through('all three at once', 'vxlan', (traces) => {
    expect(udpPorts(traces)).toEqual(new Set(['udp 4789']));
    expect(traces[0]?.events[0]?.ifname).toBe('c0');
  });
});

it('an expression without libpcap is an error that names the package', () => {
  // its file hidden in a mount namespace of the command's own
  const hide = 'for f in $(ldconfig -p | sed -n "s/.*libpcap.so.*=> //p"); do mount --bind /dev/null "$f"; done';
  const words = ['-m', 'sh', '-c', `${hide}; exec "$0" "$@"`, process.execPath, CLI_PROGRAM, 'tcp port 80'];
  const { status, stderr } = spawnSync('unshare', words, { encoding: 'utf8' });
  expect(stderr).toMatch(/^nettrace: packet filter expressions need libpcap: .*\n.*apt-get install libpcap0.8\n$/);
  expect(status).toBe(1);
});

it('words of the command line become one expression', async () => {
  const cli = await new Cli([
    ...['--netns', net.namespace('client'), '-t', 'net_dev_queue,__dev_queue_xmit'],
    ...['--json', '-c', '1', 'icmp6', 'or', '(udp', 'port', `${UDP_PORT})`],
  ]).ready();
  const client = await net.agent('client');
  const sender = await client.bound(CLIENT, UDP_PORT, 'SOCK_DGRAM');
  await sender.call('sendto', 'hello', [SERVER, UDP_PORT]);
  const { code, stdout } = await cli.ended;
  expect(code).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({ proto: expect.stringMatching(/udp|icmp/) });
});
