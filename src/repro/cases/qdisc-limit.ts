import { isInRange } from '../by-kernel.js';
import { defineCase } from '../case.js';

const BYTES = 1000;

export default defineCase({
  name: 'qdisc-limit',
  group: 'path',
  title: 'Datagrams find the qdisc full and are dropped before they reach the device',
  description: `A token bucket filter lets one datagram of a thousand bytes out at once and keeps one more; then its queue is
full (limit 2000 bytes). The datagrams behind are dropped by the qdisc, on their way out, in the sender's own system
call: send() says nothing of it, unless the application has asked for errors (IP_RECVERR). tc -s qdisc counts them as
dropped, and so does UdpSndbufErrors, though no socket's buffer was full.`,
  parameters: { datagrams: { default: 5, text: 'datagrams that are sent', range: [3, 50] } },
  requires: { modules: ['veth', 'sch_tbf'], tools: ['tc'] },
  network(net) {
    // one byte a millisecond: the next tokens are far away
    const client = net.host('client', { tc: ['qdisc add dev eth0 root tbf rate 8kbit burst 1600 limit 2000'] });
    const server = net.host('server');
    net.link(client, server);
    return { client, server };
  },
  async play({ net: { client, server }, parameters: { datagrams }, step }) {
    const receiver = server.udp({ port: 5000 });
    const sender = client.udp();
    await step(`the client sends ${datagrams} datagrams`, async () => {
      for (let i = 0; i < datagrams; i++)
        await sender.send(Buffer.alloc(BYTES), { address: server.address, port: 5000 });
    });
    const first = await receiver.receive();
    const statistics = JSON.parse(await client.must(['tc', '-s', '-j', 'qdisc', 'show', 'dev', 'eth0'])) as {
      kind: string;
      drops: number;
    }[];
    return { received: first.data.length, drops: statistics.find(({ kind }) => kind === 'tbf')?.drops };
  },
  expectations({ expect, facts, net: { client }, parameters: { datagrams }, version }) {
    const datagram = { proto: 'udp', dport: 5000 } as const;
    const dropped = {
      ...datagram,
      where: {
        text: 'that is dropped',
        test: ({ events }: { events: { drop?: unknown }[] }) => events.some((e) => e.drop),
      },
    };
    expect.value('bytes of the first datagram, which arrives', facts.received).toBe(BYTES);
    expect.value('drops that tc counts', facts.drops).toBe(datagrams - 2);
    expect.trace(datagram, { needs: 'functions' }).toBeSeen(datagrams);
    expect.trace(dropped).toBeSeen(datagrams - 2);
    expect.trace(dropped).toHaveOutcome('dropped');
    // before, such drops have no reason, and their place is that of every list of packets
    if (isInRange(version, '>=5.18')) expect.trace(dropped, { needs: 'functions' }).toHaveCause('qdisc-limit');
    expect.counter('UdpSndbufErrors', { on: client }).toRise(datagrams - 2);
    expect.counter('UdpOutDatagrams', { on: client }).toRise(2);
  },
});
