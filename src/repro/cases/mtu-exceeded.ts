import { defineCase } from '../case.js';
import { reasonSince } from '../shared/drop-places.js';
import { failureOf } from '../sockets.js';

const UNREACHABLE = 3;
const FRAGMENTATION_NEEDED = 4;
const HEADERS = 28;

export default defineCase({
  name: 'mtu-exceeded',
  group: 'path',
  title: 'A datagram with DF is larger than the MTU on its way: the sender learns the MTU by ICMP',
  description: `Both ends have an MTU of 1500, a tunnel between the routers has less. A datagram of 1400 bytes with DF
(do not fragment) does not fit: the router frees it in ip_forward, counts IpFragFails, and ICMP fragmentation needed
tells the sender the MTU of the link. The sender remembers it for that destination (ip route get shows it, for 10
minutes): the next send() of as much fails with EMSGSIZE before a packet is made, and TCP cuts its segments smaller.
So data that arrives needs ICMP that arrives: see mtu-black-hole.`,
  parameters: {
    mtu: { default: 1300, text: 'MTU of the link between the routers', unit: 'bytes', range: [600, 1400] },
  },
  requires: { modules: ['veth'] },
  network(net, { parameters: { mtu } }) {
    const client = net.host('client', { ip: ['route add default via 10.0.0.2'] });
    const first = net.router('first', { ip: ['route add default via 10.0.1.2'] });
    const second = net.router('second', { ip: ['route add default via 10.0.1.1'] });
    const server = net.host('server', { ip: ['route add default via 10.0.2.1'] });
    net.link(client, first);
    net.link(first, second, { mtu });
    net.link(second, server);
    return { client, first, server };
  },
  async play({ net: { client, server }, parameters: { mtu }, step }) {
    const to = { address: server.address, port: 9000 };
    const receiver = server.udp({ port: to.port });
    const socket = client.udp({ options: { mtuDiscover: 2, receiveErrors: true } });
    socket.connect(to);
    const large = Buffer.alloc(1400, 'x');
    await step('the client sends 1400 bytes', () => socket.send(large, to));
    const answer = await step('and waits for an answer', () => failureOf(socket.receive()));
    const again = await step('it sends as much again', () => failureOf(socket.send(large, to)));
    const fits = Buffer.alloc(mtu - HEADERS, 'x');
    const received = await step('it sends as much as fits', async () => {
      await socket.send(fits, to);
      return (await receiver.receive()).data.length;
    });
    const route = await client.must(['ip', 'route', 'get', server.address]);
    return { answer, again, received, learned: Number(/\bmtu (\d+)/.exec(route)?.[1]), port: socket.port };
  },
  expectations({ expect, facts, net: { client, first, server }, parameters: { mtu } }) {
    const datagram = { proto: 'udp', sport: facts.port } as const;
    expect.value('what the next call says', facts.answer).toBe('EMSGSIZE');
    expect.value('what sending as much again says', facts.again).toBe('EMSGSIZE');
    expect.value('the MTU that the client has learned', facts.learned).toBe(mtu);
    expect.value('bytes that the server gets', facts.received).toBe(mtu - HEADERS);
    expect.trace(datagram).toBeSeen(2);
    expect.trace(datagram).toPass('__icmp_send');
    expect.trace(datagram).toBeDroppedAt('ip_forward', reasonSince('5.19', 'PKT_TOO_BIG'));
    expect.trace(datagram).toHaveOutcome('rejected');
    expect.trace(datagram).toHaveCause('mtu-exceeded');
    expect.trace(datagram, { needs: 'functions' }).toHaveOutcome('delivered');
    expect
      .trace({ proto: 'icmp', icmpType: UNREACHABLE, saddr: first.address })
      .toSatisfy('says fragmentation needed', ({ events }) =>
        events.some(({ icmp }) => icmp?.code === FRAGMENTATION_NEEDED),
      );
    expect.counter('IpFragFails', { on: first }).toRise(1);
    expect.counter('IcmpOutDestUnreachs', { on: first }).toRise(1);
    expect.counter('IcmpInDestUnreachs', { on: client }).toRise(1);
    expect.counter('UdpInDatagrams', { on: server }).toRise(1);
  },
});
