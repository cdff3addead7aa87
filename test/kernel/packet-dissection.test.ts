import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { build, parse, pcapFile, summarize } from '../../src/repro/packet/index.js';
import { type CapturedPacket, PacketSocket } from '../../src/repro/packet-socket.js';
import { openListener, openUdp, type SocketPlace, startConnection } from '../../src/repro/sockets.js';
import { useFolder } from '../support/folder.js';
import { type Topology, until, withTopology } from '../support/kernel-topology.js';
import { dissectFile, missingTshark } from '../support/tshark.js';
import { checksumsShown, disagreements } from '../support/tshark-compare.js';

const file = useFolder();

function place(topology: Topology, node: string): SocketPlace & { close(): void } {
  const sockets: { close(): void }[] = [];
  return {
    host: node,
    path: `/run/netns/${topology.namespace(node)}`,
    adopt: (socket) => sockets.push(socket),
    close: () => sockets.forEach((socket) => void socket.close()),
  };
}

/** A connection with data both ways and its end, datagrams, and pings, over IPv4 and IPv6. */
async function traffic(topology: Topology): Promise<void> {
  const [left, right] = [place(topology, 'left'), place(topology, 'right')];
  try {
    for (const address of [`${topology.v4}.0.2`, `${topology.v6}::2`]) {
      const listener = openListener(right, { address, port: 0 }, 5, {});
      const client = await startConnection(left, listener.local, undefined, {}).done;
      const server = await listener.accept();
      await client.send(Buffer.alloc(20_000, 'request '));
      await server.receiveBytes(20_000);
      await server.send('answer');
      expect((await client.receive()).toString()).toBe('answer');
      client.shutdown();
      expect(await server.receive()).toHaveLength(0);
      server.close();
      expect(await client.receive()).toHaveLength(0);
      const socket = openUdp(right, { address, port: 0 }, {});
      const sender = openUdp(left, { address: address.replace(/2$/, '1'), port: 0 }, {});
      await sender.send('datagram', socket.local);
      await socket.receive();
      await sender.send('nobody is there', { address, port: 9 }); // an ICMP error that quotes it
      const words = ['netns', 'exec', topology.namespace('left'), 'ping', '-c', '1', '-W', '10', address];
      expect(spawnSync('ip', words, { encoding: 'utf8' })).toMatchObject({ status: 0 });
    }
  } finally {
    left.close();
    right.close();
  }
}

async function captured(topology: Topology): Promise<CapturedPacket[]> {
  const watch = new PacketSocket('eth0', { netns: `/run/netns/${topology.namespace('right')}` });
  const packets: CapturedPacket[] = [];
  try {
    await traffic(topology);
    await until('the last ping is answered', () => {
      for (let packet = watch.receive(); packet; packet = watch.receive()) packets.push(packet);
      return packets.some(({ bytes }) => summarize(parse(bytes).layers).endsWith('type:129, code:0'));
    });
    return packets;
  } finally {
    watch.close();
  }
}

it.skipIf(missingTshark)(
  "a kernel's own packets are parsed as tshark dissects them, and built again byte by byte",
  async () => {
    await withTopology(async (topology) => {
      topology.add('left', 'right');
      await topology.join(
        { node: 'left', ifname: 'eth0', addresses: [`${topology.v4}.0.1/24`, `${topology.v6}::1/64`] },
        { node: 'right', ifname: 'eth0', addresses: [`${topology.v4}.0.2/24`, `${topology.v6}::2/64`] },
      );
      const packets = await captured(topology);
      writeFileSync(file('real.pcap'), pcapFile(packets, { nanoseconds: true }));
      const kinds = new Set<string>();
      for (const [i, dissected] of dissectFile(file(), file('real.pcap')).entries()) {
        const { bytes, checksumPending } = packets[i]!;
        const { layers, problems } = parse(bytes);
        const text = summarize(layers);
        expect(Buffer.from(build(layers)).equals(Buffer.from(bytes)), text).toBe(true);
        expect(disagreements(layers, dissected), text).toEqual([]);
        // on a veth pair no device computes what the kernel left to it
        const left = checksumPending ? ['unfinished-checksum'] : [];
        expect(
          problems.map(({ name }) => name),
          text,
        ).toEqual(left);
        expect(
          checksumsShown(layers, dissected).filter((status) => status === 'bad'),
          text,
        ).toHaveLength(left.length);
        for (const { kind } of layers) kinds.add(kind);
      }
      expect([...kinds]).toEqual(
        expect.arrayContaining(['arp', 'ethernet', 'icmp', 'icmpv6', 'ipv4', 'ipv6', 'payload', 'tcp', 'udp']),
      );
    });
  },
);
