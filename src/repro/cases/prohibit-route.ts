import { defineCase } from '../case.js';
import { NO_REASON } from '../shared/drop-places.js';
import { FAR, meetRoute, NEAR, networkWithRoute } from '../shared/refusing-route.js';

const UNREACHABLE = 3;
const PACKET_FILTERED = 13;

export default defineCase({
  name: 'prohibit-route',
  group: 'path',
  title: 'A prohibit route answers with ICMP administratively prohibited; on the sender itself it is EACCES',
  description: `ip route add prohibit NETWORK (and ip rule add ... prohibit) refuses packets like a firewall does: a
router's lookup fails with EACCES, and ip_error has ICMP say administratively prohibited and frees the packet. The
sender's socket reports that as EHOSTUNREACH. Where the sender itself has such a route, its calls fail at once with
EACCES ("Permission denied"), even as root: no firewall rule and no file permission explains it, ip route show type
prohibit does.`,
  requires: { modules: ['veth'] },
  network: (net) => networkWithRoute(net, 'prohibit'),
  async play({ net: { sender }, step }) {
    return await meetRoute(sender.udp(), sender, step, 'a prohibit');
  },
  expectations({ expect, facts, net: { sender, router } }) {
    const datagram = { proto: 'udp', daddr: FAR } as const;
    expect.value('what the next call says', facts.far).toBe('EHOSTUNREACH');
    expect.value('what connect() says', facts.near).toBe('EACCES');
    expect.trace({ daddr: NEAR }).toNotBeSeen();
    expect.trace(datagram).toPass('__icmp_send');
    expect.trace(datagram).toBeDroppedAt('ip_error', NO_REASON);
    expect.trace(datagram).toHaveOutcome('rejected');
    expect.trace(datagram).toHaveCause('prohibit-route');
    expect
      .trace({ proto: 'icmp', icmpType: UNREACHABLE, saddr: router.address })
      .toSatisfy('says administratively prohibited', ({ events }) =>
        events.some(({ icmp }) => icmp?.code === PACKET_FILTERED),
      );
    expect.counter('IcmpOutDestUnreachs', { on: router }).toRise(1);
    expect.counter('IpExtInNoRoutes', { on: router }).toStay();
    expect.counter('IcmpInDestUnreachs', { on: sender }).toRise(1);
  },
});
