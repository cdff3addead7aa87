import { NetnsSocket } from '#bpf-loader';
import { LITTLE } from '../../decode/byte-order.js';
import { defineCase } from '../case.js';
import { clientAndServer } from '../shared/client-and-server.js';

const AF_PACKET = 17;
const SOCK_RAW = 3;
/** htons(ETH_P_ALL): all packets, before the protocols get them, as sniffers want them. */
const ETH_P_ALL = LITTLE ? 0x0300 : 0x0003;
const SOL_SOCKET = 1;
const SO_RCVBUF = 8;
const SOL_PACKET = 263;
const PACKET_STATISTICS = 6;

/** struct tpacket_stats of linux/if_packet.h: what has come (dropped or not) and what was dropped, since the last call. */
function packetStatistics(socket: NetnsSocket): { packets: number; drops: number } {
  const value = socket.getOption(SOL_PACKET, PACKET_STATISTICS, 8);
  const view = new DataView(value.buffer, value.byteOffset, value.byteLength);
  return { packets: view.getUint32(0, LITTLE), drops: view.getUint32(4, LITTLE) };
}

export default defineCase({
  name: 'packet-socket-full',
  group: 'queues',
  title: 'A packet socket whose receive buffer is full misses packets, which reach their receiver nevertheless',
  description: `A sniffer's packet socket gets a copy of each packet before the protocols do. If its reader is too slow
and its buffer full, the copy is dropped, and only the copy: the packet goes on, and the application gets it. The socket
counts it (tp_drops of PACKET_STATISTICS, which tcpdump prints as "dropped by kernel"); no counter of the protocols moves.
So a capture with gaps is no proof of loss. Where functions are traced packet_rcv tells that the copy found no room; a
drop monitor does not show it, as the packet itself is not freed. What helps: a larger buffer, a filter in the
kernel, fewer bytes of each packet.`,
  parameters: {
    port: { default: 5000, text: 'port that is sent to', range: [1, 65535] },
    datagrams: { default: 40, text: 'how many are sent', range: [20, 200] },
    buffer: { default: 4096, text: 'SO_RCVBUF of the packet socket', unit: 'bytes', range: [1, 8192] },
  },
  requires: { modules: ['veth', 'af_packet'] },
  trace: ['pkt'],
  network: clientAndServer,
  async play({ net: { client, server }, parameters: { port, datagrams, buffer }, step, until }) {
    const sniffer = await step('a sniffer opens its packet socket, and does not read', () => {
      const socket = NetnsSocket.open(AF_PACKET, SOCK_RAW, ETH_P_ALL, { netns: server.path });
      server.adopt(socket);
      socket.setOption(SOL_SOCKET, SO_RCVBUF, buffer);
      return socket;
    });
    const receiver = server.udp({ port });
    const sender = client.udp();
    await step(`${datagrams} datagrams are sent`, async () => {
      for (let i = 0; i < datagrams; i++) await sender.send(`datagram ${i}`, receiver.local);
      await until('all have come', () => server.counter('IpInDelivers') >= datagrams);
    });
    const { packets, drops } = packetStatistics(sniffer);
    const counts = await step('the sniffer and the application read', () => {
      let captured = 0;
      let received = 0;
      while (sniffer.receive(2048)) captured++;
      while (receiver.receiveNow()) received++;
      return { captured, received };
    });
    return { packets, drops, ...counts };
  },
  expectations({ expect, facts, net: { server }, parameters: { port, datagrams } }) {
    const { packets, drops, captured, received } = facts;
    const datagram = { proto: 'udp', dport: port } as const;
    const missed = 'the packet socket had no room for its copy';
    expect.value('datagrams that the application received', received).toBe(datagrams);
    expect.value('packets that came by the sniffer, as PACKET_STATISTICS says', packets).toBe(datagrams);
    expect.value('some were captured, and some were missed', captured > 0 && drops > 0).toBe(true);
    expect.value('captured and missed together', captured + drops).toBe(datagrams);
    expect.trace(datagram).toBeSeen(datagrams);
    expect.trace(datagram).toNotBeDropped();
    expect.trace(datagram).toPass('packet_rcv', { note: missed });
    expect
      .trace(datagram, { needs: 'functions' })
      .toSatisfy(
        'was missed by the sniffer, and delivered',
        ({ verdict }) => verdict.outcome === 'delivered' && verdict.facts.includes('packet-ring-full'),
      );
    expect.counter('UdpInDatagrams', { on: server }).toRise(datagrams);
    expect.counter('UdpInErrors', { on: server }).toStay();
    expect.counter('IpInDiscards', { on: server }).toStay();
  },
});
