import { byKernel } from '../by-kernel.js';
import { defineCase } from '../case.js';
import { craftHost } from '../crafted/index.js';
import { ipv4, payload, tcp, udp } from '../packet/index.js';
import { craftedClientAndServer } from '../shared/client-and-server.js';
import { UDP_PLACE } from '../shared/drop-places.js';

const reason = (name: string) => byKernel({ '<5.17': undefined, else: name });

export default defineCase({
  name: 'bad-checksum',
  group: 'path',
  title: 'Packets with a wrong IP, TCP or UDP checksum are dropped, each by its own layer and with its own counter',
  description: `Three packets are damaged on their way, each in another header: the receiver finds the checksum wrong and drops
them without an answer, so the sender sends again as if they were lost. The counters tell which layer it was (IpExtInCsumErrors and
IpInHdrErrors, TcpInCsumErrors, UdpInCsumErrors). With good cables such packets come from broken offloads and from virtual
networks. tcpdump at the sender says "incorrect" of all packets whose checksum the card fills in: that is no fault; here
they are wrong at the receiver.`,
  parameters: { port: { default: 8000, text: 'port of the server', range: [1, 65535] } },
  requires: { modules: ['veth'] },
  network: craftedClientAndServer,
  async play({ net: { client, server }, parameters: { port }, step }) {
    const host = craftHost(client);
    server.listen({ port });
    const receiver = server.udp({ port });
    const ports = { sourcePort: 40000, destinationPort: port };
    const addresses = { source: client.address, destination: server.address };
    await step('three damaged packets, and a datagram that is whole', () => {
      host.send([ipv4({ ...addresses, checksum: 'wrong' }), udp({ ...ports, sourcePort: 40001 }), payload('damaged')]);
      host.send([ipv4(addresses), tcp({ ...ports, flags: 'S', seq: 1000, checksum: 'wrong' })]);
      host.send([ipv4(addresses), udp({ ...ports, checksum: 'wrong' }), payload('damaged')]);
      host.send([ipv4(addresses), udp({ ...ports, sourcePort: 40002 }), payload('whole')]);
    });
    const { data } = await receiver.receive();
    return { received: data.toString() };
  },
  expectations({ expect, facts, net: { server }, parameters: { port } }) {
    const toIp = { proto: 'udp', sport: 40001, dport: port } as const;
    const toTcp = { flags: 'S', sport: 40000, dport: port };
    const toUdp = { proto: 'udp', sport: 40000, dport: port } as const;
    expect.value('what the server receives', facts.received).toBe('whole');
    expect.trace(toIp).toBeDroppedAt('ip_rcv_core', reason('IP_CSUM'));
    expect.trace(toIp).toHaveCause(byKernel({ '<5.17': 'ip-input-refused', else: 'bad-ip-checksum' }));
    expect.trace(toTcp).toBeDroppedAt('tcp_v4_rcv', reason('TCP_CSUM'));
    expect.trace(toTcp, { needs: 'functions' }).toHaveOutcome('dropped');
    expect.trace(toUdp).toBeDroppedAt(UDP_PLACE, reason('UDP_CSUM'));
    expect.trace({ flags: 'SA' }).toNotBeSeen();
    expect.counter('IpExtInCsumErrors', { on: server }).toRise(1);
    expect.counter('IpInHdrErrors', { on: server }).toRise(1);
    expect.counter('TcpInCsumErrors', { on: server }).toRise(1);
    expect.counter('UdpInCsumErrors', { on: server }).toRise(1);
    expect.counter('UdpInDatagrams', { on: server }).toRise(1);
  },
});
