import { defineCase } from '../case.js';
import { reasonSince } from '../shared/drop-places.js';
import { failureOf } from '../sockets.js';

const UNREACHABLE = 3;
const NET_UNREACHABLE = 0;

export default defineCase({
  name: 'no-route-at-router',
  group: 'path',
  title: 'A router has no route: it answers with ICMP network unreachable',
  description: `The sender has a default route, the router has none. The router's lookup fails, which makes the packet
one for ip_error: that counts it, has ICMP answer, and frees it. The answer to a SYN ends connect() with ENETUNREACH;
a connection that stands takes it for temporary, and a UDP socket reports it only with IP_RECVERR, as here. On the
router IpExtInNoRoutes counts; ip route get ADDRESS from SENDER iif eth0 there asks the same question.`,
  parameters: { address: { default: '192.0.2.1', text: 'address that the router has no route to' } },
  requires: { modules: ['veth'] },
  network(net) {
    const sender = net.host('sender', { ip: ['route add default via 10.0.0.2'] });
    const router = net.router('router');
    net.link(sender, router);
    return { sender, router };
  },
  async play({ net: { sender }, parameters: { address }, step }) {
    const to = { address, port: 9000 };
    const socket = sender.udp({ options: { receiveErrors: true } });
    socket.connect(to);
    await step('the sender sends a datagram', () => socket.send('hello', to));
    const answer = await step('and waits for an answer', () => failureOf(socket.receive()));
    return { answer };
  },
  expectations({ expect, facts, net: { sender, router }, parameters: { address } }) {
    const datagram = { proto: 'udp', daddr: address } as const;
    expect.value('what the next call says', facts.answer).toBe('ENETUNREACH');
    expect.trace(datagram).toPass('__icmp_send');
    expect.trace(datagram).toBeDroppedAt('ip_error', reasonSince('5.19', 'IP_INNOROUTES'));
    expect.trace(datagram).toHaveOutcome('rejected');
    expect.trace(datagram).toHaveCause('no-route');
    expect
      .trace({ proto: 'icmp', icmpType: UNREACHABLE, saddr: router.address })
      .toSatisfy('says network unreachable', ({ events }) => events.some(({ icmp }) => icmp?.code === NET_UNREACHABLE));
    expect.counter('IpExtInNoRoutes', { on: router }).toRise(1);
    expect.counter('IcmpOutDestUnreachs', { on: router }).toRise(1);
    expect.counter('IcmpInDestUnreachs', { on: sender }).toRise(1);
    expect.counter('IpOutNoRoutes', { on: sender }).toStay();
  },
});
