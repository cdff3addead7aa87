import { defineCase } from '../case.js';
import { NO_REASON } from '../shared/drop-places.js';
import { FAR, meetRoute, NEAR, networkWithRoute } from '../shared/refusing-route.js';

const UNREACHABLE = 3;
const HOST_UNREACHABLE = 1;

export default defineCase({
  name: 'unreachable-route',
  group: 'path',
  title: 'An unreachable route answers with ICMP host unreachable; on the sender itself it is EHOSTUNREACH',
  description: `ip route add unreachable NETWORK refuses packets with an answer, so that senders need not wait: a
router's lookup fails with EHOSTUNREACH, and ip_error has ICMP say host unreachable and frees the packet. It looks
like a next hop that does not answer ARP, at once and without any ARP. Where the sender itself has such a route, its
calls fail at once with EHOSTUNREACH ("No route to host"). Routing daemons and VPNs leave such routes behind: ip route
show type unreachable.`,
  requires: { modules: ['veth'] },
  network: (net) => networkWithRoute(net, 'unreachable'),
  async play({ net: { sender }, step }) {
    return await meetRoute(sender.udp({ options: { receiveErrors: true } }), sender, step, 'an unreachable');
  },
  expectations({ expect, facts, net: { sender, router } }) {
    const datagram = { proto: 'udp', daddr: FAR } as const;
    expect.value('what the next call says', facts.far).toBe('EHOSTUNREACH');
    expect.value('what connect() says', facts.near).toBe('EHOSTUNREACH');
    expect.trace({ daddr: NEAR }).toNotBeSeen();
    expect.trace(datagram).toPass('__icmp_send');
    expect.trace(datagram).toBeDroppedAt('ip_error', NO_REASON);
    expect.trace(datagram).toHaveOutcome('rejected');
    expect.trace(datagram).toHaveCause('unreachable-route');
    expect
      .trace({ proto: 'icmp', icmpType: UNREACHABLE, saddr: router.address })
      .toSatisfy('says host unreachable', ({ events }) => events.some(({ icmp }) => icmp?.code === HOST_UNREACHABLE));
    expect.counter('IcmpOutDestUnreachs', { on: router }).toRise(1);
    expect.counter('IpExtInNoRoutes', { on: router }).toStay();
    expect.counter('IcmpInDestUnreachs', { on: sender }).toRise(1);
    expect.trace({ proto: 'arp' }).toNotBeSeen();
  },
});
