import { defineCase } from '../case.js';

const BYTES = 3000;
const TIME_EXCEEDED = 11;

export default defineCase({
  name: 'fragments-missing',
  group: 'path',
  title: 'Only the first fragment of a datagram arrives: after a while the kernel gives the rest up',
  description: `A datagram of 3000 bytes is sent in three fragments. Only the first has the UDP header, so a filter by port
cannot see the others: here a rule drops all later fragments, as firewalls do. The server keeps the first one for
net.ipv4.ipfrag_time (30 s, here one), then drops it and tells the sender by ICMP (time exceeded, reassembly). Small
datagrams arrive all the time, which is why such a fault shows only with large answers (DNSSEC, for one).`,
  parameters: { port: { default: 5000, text: 'port of the server', range: [1, 65535] } },
  requires: { modules: ['veth', 'nf_tables'], tools: ['nft'] },
  patienceMs: 5000,
  network(net) {
    const client = net.host('client');
    const server = net.host('server', {
      sysctl: { 'net.ipv4.ipfrag_time': 1 },
      nft: 'table ip t { chain pre { type filter hook prerouting priority -450; ip frag-off & 0x1fff != 0 counter drop; }; }',
    });
    net.link(client, server);
    return { client, server };
  },
  async play({ net: { client, server }, parameters: { port }, step }) {
    const receiver = server.udp({ port });
    const sender = client.udp();
    await step('a large datagram, then a small one', async () => {
      await sender.send(Buffer.alloc(BYTES), { address: server.address, port });
      await sender.send('small', { address: server.address, port });
    });
    const { data } = await receiver.receive();
    return { received: data.toString() };
  },
  expectations({ expect, facts, net: { client, server }, parameters: { port } }) {
    const datagram = { proto: 'udp', dport: port } as const;
    expect.value('what arrives', facts.received).toBe('small');
    expect
      .trace({
        ...datagram,
        where: { text: 'that waits for its fragments', test: ({ events }) => events.some(({ drop }) => drop) },
      })
      .toHaveCause('fragments-missing');
    expect
      .trace(datagram)
      .toSatisfy('is freed with the queue of its fragments', ({ events }) =>
        events.some(({ drop }) => drop !== undefined && /^(ip_expire|inet_frag|ip_frag)/.test(drop.location)),
      );
    expect.trace({ proto: 'icmp', icmpType: TIME_EXCEEDED, saddr: server.address, daddr: client.address }).toBeSeen(1);
    expect.counter('IpReasmTimeout', { on: server }).toRise(1);
    expect.counter('IpReasmFails', { on: server }).toRise(1);
    expect.counter('IcmpOutTimeExcds', { on: server }).toRise(1);
    expect.counter('UdpInDatagrams', { on: server }).toRise(1);
  },
});
