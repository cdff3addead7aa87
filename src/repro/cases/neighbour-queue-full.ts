import { defineCase } from '../case.js';
import { reasonSince } from '../shared/drop-places.js';

const LATE = '10.0.0.9';

export default defineCase({
  name: 'neighbour-queue-full',
  group: 'path',
  title: 'While ARP is not answered yet, only a few packets wait: the oldest are dropped',
  description: `Packets to a next hop whose hardware address is not known wait in its neighbour entry, and no more of
them than unres_qlen_bytes (about 200 kB by default; here room for one). For each that does not fit,
__neigh_event_send frees the oldest that waits, without telling anybody. A burst to a host that answers ARP late, or
after its entry has expired, so loses its beginning: here the next hop gets its address only when all datagrams have
been sent, and the last one is all that arrives. No counter of the namespace tells, only unresolved_discards of all
namespaces together (/proc/net/stat/arp_cache).`,
  parameters: { datagrams: { default: 5, text: 'datagrams that are sent before ARP is answered', range: [2, 100] } },
  requires: { modules: ['veth'] },
  network(net) {
    const sender = net.host('sender', {
      sysctl: {
        'net.ipv4.neigh.eth0.unres_qlen_bytes': 1,
        // asks often, and for as long as the case may take
        'net.ipv4.neigh.eth0.retrans_time_ms': 100,
        'net.ipv4.neigh.eth0.mcast_solicit': 300,
      },
    });
    const receiver = net.host('receiver');
    net.link(sender, receiver, { arp: true });
    return { sender, receiver };
  },
  async play({ net: { sender, receiver }, parameters: { datagrams }, step }) {
    const to = { address: LATE, port: 9000 };
    const late = receiver.udp({ address: LATE, port: to.port, options: { freeBind: true } });
    const socket = sender.udp();
    await step(`the sender sends ${datagrams} datagrams`, async () => {
      for (let i = 1; i <= datagrams; i++) await socket.send(`datagram ${i}`, to);
    });
    const first = await step('the receiver gets the address, and answers ARP', async () => {
      await receiver.must(['ip', 'address', 'add', `${LATE}/32`, 'dev', 'eth0']);
      return (await late.receive()).data.toString();
    });
    return { first };
  },
  expectations({ expect, facts, net: { receiver }, parameters: { datagrams } }) {
    const datagram = { proto: 'udp', daddr: LATE } as const;
    const isLost = {
      text: 'that is dropped',
      test: ({ events }: { events: readonly { drop?: unknown }[] }) => events.some(({ drop }) => drop),
    };
    expect.value('the datagram that arrives first', facts.first).toBe(`datagram ${datagrams}`);
    expect.trace(datagram).toBeSeen(datagrams);
    expect.trace({ ...datagram, where: isLost }).toBeSeen(datagrams - 1);
    expect.trace(datagram).toBeDroppedAt('__neigh_event_send', reasonSince('5.18', 'NEIGH_QUEUEFULL'));
    expect.trace({ ...datagram, where: isLost }).toHaveOutcome('dropped');
    expect.trace({ ...datagram, where: isLost }).toHaveCause('neighbour-queue-full');
    expect.trace(datagram, { needs: 'functions' }).toHaveOutcome('delivered');
    expect.trace({ proto: 'arp', arpOp: 2, saddr: LATE }).toBeSeen(1);
    expect.counter('UdpInDatagrams', { on: receiver }).toRise(1);
  },
});
