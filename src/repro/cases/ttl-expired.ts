import { defineCase } from '../case.js';
import { reasonSince } from '../shared/drop-places.js';
import { failureOf } from '../sockets.js';

const TIME_EXCEEDED = 11;

export default defineCase({
  name: 'ttl-expired',
  group: 'path',
  title: 'The TTL is used up at a router: ICMP time exceeded',
  description: `A router does not forward a packet whose TTL is 1: ip_forward has ICMP tell the sender, counts it in
IpInHdrErrors, and frees it. traceroute sends such packets on purpose; in the wild they mean a routing loop, or a
sender with a small TTL (multicast has 1 by default). The sender's UDP socket reports it only with IP_RECVERR, as here
(EHOSTUNREACH); a TCP connection that stands takes it for temporary and sends again.`,
  parameters: { ttl: { default: 1, text: 'TTL of the datagram: with more than 2 it arrives', range: [1, 2] } },
  requires: { modules: ['veth'] },
  network(net) {
    const sender = net.host('sender', { ip: ['route add default via 10.0.0.2'] });
    const first = net.router('first', { ip: ['route add default via 10.0.1.2'] });
    const second = net.router('second', { ip: ['route add 10.0.0.0/24 via 10.0.1.1'] });
    const receiver = net.host('receiver', { ip: ['route add default via 10.0.2.1'] });
    net.link(sender, first);
    net.link(first, second);
    net.link(second, receiver);
    return { sender, first, second, receiver };
  },
  async play({ net: { sender, receiver }, parameters: { ttl }, step }) {
    const to = { address: receiver.address, port: 9000 };
    receiver.udp({ port: to.port });
    const socket = sender.udp({ options: { ttl, receiveErrors: true } });
    socket.connect(to);
    await step('the sender sends a datagram', () => socket.send('hello', to));
    const answer = await step('and waits for an answer', () => failureOf(socket.receive()));
    return { answer };
  },
  expectations({ expect, facts, net: { sender, first, second, receiver }, parameters: { ttl } }) {
    const datagram = { proto: 'udp', daddr: receiver.address } as const;
    const router = ttl === 1 ? first : second;
    expect.value('what the next call says', facts.answer).toBe('EHOSTUNREACH');
    expect.trace(datagram).toPass('__icmp_send');
    expect.trace(datagram).toBeDroppedAt('ip_forward', reasonSince('5.19', 'IP_INHDR'));
    expect.trace(datagram).toHaveOutcome('rejected');
    expect.trace(datagram).toHaveCause('ttl-expired');
    expect.trace({ proto: 'icmp', icmpType: TIME_EXCEEDED, saddr: router.address }).toBeSeen(1);
    expect.counter('IpInHdrErrors', { on: router }).toRise(1);
    expect.counter('IcmpOutTimeExcds', { on: router }).toRise(1);
    expect.counter('IcmpInTimeExcds', { on: sender }).toRise(1);
    expect.counter('IpInReceives', { on: receiver }).toStay();
  },
});
