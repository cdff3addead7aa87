import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { CraftedHost, CraftedTcp } from '../../src/repro/crafted/index.js';
import {
  type AnyLayer,
  findLayer,
  fragment,
  icmpEcho,
  icmpv6Echo,
  payload,
  pcapFile,
  tcp,
  tcpOption,
  udp,
  vlan,
} from '../../src/repro/packet/index.js';
import { PacketSocket } from '../../src/repro/packet-socket.js';
import type { Listener } from '../../src/repro/sockets.js';
import { CraftedTopology, TCP_ESTABLISHED } from '../support/crafted-topology.js';
import { useFolder } from '../support/folder.js';
import { until } from '../support/kernel-topology.js';

const net = new CraftedTopology();
const file = useFolder();
/** Long enough for an answer to come on an emulated machine, where none may come. */
const QUIET_MS = 500;

beforeAll(() => net.up());
afterEach(() => net.closeSockets());
afterAll(() => net.down());

const families = [
  { version: 4 as const, server: () => net.server4, crafted: () => net.crafted4 },
  { version: 6 as const, server: () => net.server6, crafted: () => net.crafted6 },
];

/** What counters of the server have moved by while `body` ran. */
async function moved(body: () => Promise<unknown>, ...names: string[]): Promise<Record<string, bigint>> {
  const before = net.counters('server');
  await body();
  const after = net.counters('server');
  return Object.fromEntries(names.map((name) => [name, (after.get(name) ?? 0n) - (before.get(name) ?? 0n)]));
}

async function handshake(host: CraftedHost, listener: Listener, options = {}): Promise<CraftedTcp> {
  const connection = host.tcp({ address: listener.local.address, port: listener.port, ...options });
  await connection.syn();
  await connection.synAck();
  return connection;
}

describe.each(families)('a crafted host (IPv$version)', ({ version, server, crafted }) => {
  it('answers who it is, and may be told not to', async () => {
    const host = net.crafted({ answers: false });
    const socket = net.udp(server());
    const to = { address: crafted(), port: 7 };
    const question = version === 4 ? { arp: { targetIp: crafted() } } : { icmpv6: { type: 135 } };
    net.topology.ip('server', 'neigh flush dev eth0');
    await socket.send('nobody', to);
    await host.receive(question);
    await host.receiveNone({ udp: {} }, QUIET_MS);
    host.answers = true;
    await socket.send('you', to);
    const packet = await host.receive({ udp: { destinationPort: 7 } });
    expect(packet.problems).toEqual([]);
    expect(findLayer(packet.layers, 'ethernet')?.destination).toBe(host.mac);
  });

  it('finds its peer, and says who does not answer', async () => {
    const host = net.crafted();
    const mac = await host.resolve(server());
    expect(mac).toMatch(/^([0-9a-f]{2}:){5}[0-9a-f]{2}$/);
    const nobody = server().replace(/2$/, '77');
    await expect(host.resolve(nobody, { timeoutMs: 50 })).rejects.toThrow(`${nobody} does not answer who it is`);
    expect(() => host.send([host.ip(nobody), udp({ sourcePort: 1, destinationPort: 2 })])).toThrow(
      `no hardware address is known for ${nobody}`,
    );
  });

  it('opens a connection by hand, carries data both ways, and ends it', async () => {
    const host = net.crafted();
    const listener = net.listen(server());
    const connection = await handshake(host, listener, { windowScale: 7 });
    connection.ack();
    const accepted = await listener.accept();
    expect(accepted.peer).toEqual({ address: crafted(), port: connection.sourcePort });
    connection.data('from the crafted host');
    expect((await accepted.receive()).toString()).toBe('from the crafted host');
    await accepted.send('from the kernel');
    expect(Buffer.from(await connection.receiveData()).toString()).toBe('from the kernel');
    connection.fin();
    expect(await accepted.receive()).toHaveLength(0);
    accepted.close();
    await connection.receive({ flags: 'FA' });
    connection.ack();
    await until('the connection is gone', () => net.states(listener.port).length === 0);
    for (const { problems } of host.log) expect(problems).toEqual([]);
  });

  it('takes a connection of the kernel', async () => {
    const host = net.crafted();
    const { done } = net.connect(crafted(), 8080);
    const connection = await host.acceptTcp({ port: 8080, mss: 1000 });
    connection.answerSyn();
    const client = await done;
    await connection.receive({ flags: 'A' });
    await client.send('request');
    expect(Buffer.from(await connection.receiveData()).toString()).toBe('request');
    connection.data('answer');
    expect((await client.receive()).toString()).toBe('answer');
    connection.rst();
    await expect(client.receive()).rejects.toThrow(/ECONNRESET/);
  });

  it('sends fragments that the kernel puts together', async () => {
    const host = net.crafted();
    await host.resolve(server());
    const socket = net.udp(server());
    const data = Buffer.alloc(3000, 'fragments ');
    const whole: AnyLayer[] = [host.ip(server()), udp({ sourcePort: 1, destinationPort: socket.port }), payload(data)];
    const parts = fragment(whole, 1000, 5);
    for (const part of parts.reverse()) host.send(part);
    expect((await socket.receive()).data).toEqual(data);
    expect(parts.length).toBeGreaterThan(3);
  });

  it('spoils checksums so that the kernel drops what has them', async () => {
    const host = net.crafted();
    await host.resolve(server());
    const socket = net.udp(server());
    const ports = { sourcePort: 1, destinationPort: socket.port };
    const send = (...layers: AnyLayer[]) => host.send([host.ip(server()), ...layers]);
    const errors = version === 4 ? 'UdpInCsumErrors' : 'Udp6InCsumErrors';
    const datagrams = await moved(async () => {
      send(udp({ ...ports, checksum: 'wrong' }), payload('wrong'));
      send(udp(ports), payload('right'));
      expect((await socket.receive()).data.toString()).toBe('right');
    }, errors);
    expect(datagrams).toEqual({ [errors]: 1n });
    const listener = net.listen(server());
    const connection = host.tcp({ address: server(), port: listener.port });
    const counted = await moved(async () => {
      await connection.syn({ checksum: 'wrong' });
      await host.receiveNone(connection.match(), QUIET_MS);
    }, 'TcpInCsumErrors');
    expect(counted).toEqual({ TcpInCsumErrors: 1n });
  });
});

describe('the kernel beside a crafted host', () => {
  it('sends nothing at all, whatever comes for addresses that it does not know', async () => {
    const host = net.crafted();
    const watch = new PacketSocket('eth0', { netns: net.path('crafted') });
    const ours = host.log.length;
    try {
      const listener = net.listen(net.server4);
      const listener6 = net.listen(net.server6);
      for (const one of [listener, listener6]) (await handshake(host, one)).ack(); // SYN-ACKs come back
      for (const address of [net.crafted4, net.crafted6]) {
        const attempt = net.connect(address, 9);
        await host.receive({ tcp: { destinationPort: 9, flags: 'S' } });
        attempt.socket.close();
        const socket = net.udp(address.includes(':') ? net.server6 : net.server4);
        await socket.send('to a port that nobody has', { address, port: 9 });
        await host.receive({ udp: { destinationPort: 9 } });
      }
      host.send([host.ip(net.server4), icmpEcho({ id: 1 })]);
      host.send([host.ip(net.server6), icmpv6Echo({ id: 1 })]);
      await host.receive({ icmp: { type: 0 } });
      await host.receive({ icmpv6: { type: 129 } });
      await host.receiveNone({ tcp: { flags: 'R' } }, QUIET_MS);
      let sent = 0;
      for (let packet = watch.receive(); packet; packet = watch.receive()) if (packet.outgoing) sent++;
      expect(sent).toBe(host.log.slice(ours).filter(({ direction }) => direction === 'out').length);
      const counters = net.counters('crafted');
      for (const name of ['TcpOutRsts', 'TcpOutSegs', 'IcmpOutMsgs', 'UdpOutDatagrams', 'IpOutRequests'])
        expect([name, counters.get(name)]).toEqual([name, 0n]);
      expect(net.read('crafted', 'if_inet6').trim()).not.toContain('eth0');
    } finally {
      watch.close();
    }
  });

  it('may not have its addresses', () => {
    const options = { netns: net.path('server'), addresses: [net.server4, '192.0.2.1', net.server6] };
    expect(() => net.crafted(options)).toThrow(`the kernel has ${net.server4}, ${net.server6} itself`);
  });
});

describe('an RST before the last ACK of a handshake', () => {
  async function play(
    rst: (connection: CraftedTcp) => void,
  ): Promise<{ stays: boolean; counted: Record<string, bigint> }> {
    const host = net.crafted();
    const listener = net.listen();
    let stays = false;
    const counted = await moved(
      async () => {
        const connection = await handshake(host, listener);
        rst(connection);
        connection.ack();
        // either the server answers the ACK with RST, or it takes the connection for established
        const answer = host.receive(connection.match({ flags: 'R' }), { timeoutMs: 5000 }).then(
          () => false,
          () => true,
        );
        const accepted = listener.accept({ timeoutMs: 5000 }).then(
          () => true,
          () => false,
        );
        stays = await Promise.race([answer, accepted]);
        expect(net.states(listener.port)).toEqual(stays ? [TCP_ESTABLISHED] : []);
        net.closeSockets();
        await Promise.all([answer, accepted]);
      },
      'TcpExtEmbryonicRsts',
      'TcpExtPAWSEstab',
    );
    return { stays, counted };
  }

  it.each<[string, (connection: CraftedTcp) => void]>([
    ['the timestamp of the SYN', (c) => void c.rst({ tsval: c.nextTsval - 1 })],
    ['no timestamp', (c) => void c.rst({ timestamps: false })],
    ['the next timestamp', (c) => void c.rst()],
  ])('with %s ends the connection', async (_, rst) => {
    expect(await play(rst)).toEqual({
      stays: false,
      counted: { TcpExtEmbryonicRsts: 1n, TcpExtPAWSEstab: 0n },
    });
  });

  it.each<[string, (connection: CraftedTcp) => void]>([
    ['the timestamp 0', (c) => void c.rst({ tsval: 0 })],
    ['an older timestamp', (c) => void c.rst({ tsval: c.nextTsval - 500 })],
  ])('with %s is refused, and the connection stays', async (_, rst) => {
    expect(await play(rst)).toEqual({
      stays: true,
      counted: { TcpExtEmbryonicRsts: 0n, TcpExtPAWSEstab: 1n },
    });
  });
});

describe('an MD5 signature', () => {
  /** struct tcp_md5sig (include/uapi/linux/tcp.h): the peer's address, the key's length at 132, the key at 136. */
  function signWith(listener: Listener, peer: string, key: string): void {
    const option = Buffer.alloc(216);
    option.writeUInt16LE(2, 0);
    Buffer.from(peer.split('.').map(Number)).copy(option, 4);
    option.writeUInt16LE(key.length, 130);
    option.write(key, 136);
    listener.socket.setOption(6, 14, option); // IPPROTO_TCP, TCP_MD5SIG
  }

  it('is what the kernel computes, and one with another key is dropped', async () => {
    const host = net.crafted();
    const listener = net.listen();
    signWith(listener, net.crafted4, 'secret');
    const options = (key: string) => [
      { kind: 'mss' as const, value: 1460 },
      { kind: 'md5' as const, key },
    ];
    const wrong = host.tcp({ port: listener.port });
    const counted = await moved(async () => {
      await wrong.syn({ options: options('other') });
      await host.receiveNone(wrong.match(), QUIET_MS);
    }, 'TcpExtTCPMD5Failure');
    expect(counted).toEqual({ TcpExtTCPMD5Failure: 1n });
    const right = host.tcp({ port: listener.port });
    await right.syn({ options: options('secret') });
    const answer = await right.synAck();
    expect(tcpOption(findLayer(answer.layers, 'tcp')!, 'md5')?.digest).toHaveLength(16);
    right.ack({ options: [{ kind: 'md5', key: 'secret' }] });
    expect((await listener.accept()).peer.port).toBe(right.sourcePort);
  });
});

describe('packets with a VLAN tag', () => {
  it('go to the VLAN, and come with their tag', async (ctx) => {
    const address = net.server4.replace('.0.2', '.5.2');
    const words = [
      '-n',
      net.topology.namespace('server'),
      ...'link add link eth0 name eth0.5 type vlan id 5'.split(' '),
    ];
    const { stderr } = spawnSync('ip', words, { encoding: 'utf8' });
    ctx.skip(stderr.includes('Unknown device type'), 'this kernel has no VLANs (CONFIG_VLAN_8021Q)');
    net.topology.ip('server', `address add ${address}/24 dev eth0.5`, 'link set eth0.5 up');
    const source = net.crafted4.replace('.0.1', '.5.1');
    const host = net.crafted({ addresses: [source], neighbours: { [address]: 'ff:ff:ff:ff:ff:ff' } });
    const socket = net.udp(address);
    host.send([
      vlan({ id: 5, priority: 3 }),
      host.ip(address),
      udp({ sourcePort: 9, destinationPort: socket.port }),
      payload('in'),
    ]);
    // a broadcast frame with a packet for one host is taken by UDP
    const got = await socket.receive();
    expect(got).toEqual({ data: Buffer.from('in'), from: { address: source, port: 9 } });
    await socket.send('out', got.from); // after an ARP request with the tag, and the answer with it
    const packet = await host.receive({ udp: { destinationPort: 9 } });
    expect(packet.layers.map(({ kind }) => kind)).toEqual(['ethernet', 'vlan', 'ipv4', 'udp', 'payload']);
    expect(findLayer(packet.layers, 'vlan')).toMatchObject({ id: 5, tpid: 0x8100 });
    net.topology.ip('server', 'link delete eth0.5');
  });
});

describe('what has come', () => {
  it('is named where something else was waited for', async () => {
    const host = net.crafted();
    await host.resolve(net.server4);
    host.send([host.ip(net.server4), tcp({ sourcePort: 5, destinationPort: 6, flags: 'S', seq: 1 })]);
    await host.receive({ arp: { operation: 2 } });
    await expect(host.receive({ tcp: { flags: 'SA' } }, { timeoutMs: QUIET_MS })).rejects.toThrow(
      new RegExp(
        `no packet with tcp flags:SA: not within ${QUIET_MS} ms; what came instead: .*` +
          `TCP: ${net.server4}:6 -> ${net.crafted4}:5 seq:0, ack:2, flags:AR`,
      ),
    );
    await expect(host.receiveNone({ tcp: { flags: 'RA' } }, 5)).rejects.toThrow(/was to come, and this has: TCP: /);
    host.forget();
    await expect(host.receive({}, { timeoutMs: 5 })).rejects.toThrow(
      'no packet of any kind: not within 5 ms; nothing came at all',
    );
  });

  it('is no longer waited for when the host is closed', async () => {
    const host = net.crafted();
    const waiting = expect(host.receive({ gre: {} })).rejects.toThrow('the crafted host was closed');
    host.close();
    await waiting;
  });

  it('is in the log, both ways and in order, for a pcap file', async () => {
    const host = net.crafted();
    const listener = net.listen();
    const connection = await handshake(host, listener);
    connection.ack();
    await listener.accept();
    writeFileSync(file('log.pcap'), pcapFile(host.records(), { nanoseconds: true }));
    // a connection of another test may still end
    const words = ['-nn', '-r', file('log.pcap'), `tcp port ${connection.sourcePort}`];
    const shown = spawnSync('tcpdump', words, { encoding: 'utf8' }).stdout;
    expect([...shown.matchAll(/Flags \[(\S+)\]/g)].map(([, flags]) => flags)).toEqual(['S', 'S.', '.']);
    const times = host.log.map(({ time }) => time);
    expect(times).toEqual(times.toSorted((a, b) => Number(a - b)));
  });
});
