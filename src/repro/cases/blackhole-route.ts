import { defineCase } from '../case.js';
import { NO_REASON } from '../shared/drop-places.js';
import { FAR, NEAR, networkWithRoute } from '../shared/refusing-route.js';
import { failureOf } from '../sockets.js';

export default defineCase({
  name: 'blackhole-route',
  group: 'path',
  title: 'A blackhole route drops without a word; on the sender itself it is EINVAL',
  description: `ip route add blackhole NETWORK throws packets away silently, which is meant for attacks and for
networks that must not leak. A router's lookup fails with EINVAL, ip_error gets the packet, knows no ICMP error for
that, and frees it; no counter of /proc/net/snmp or netstat says so (they count only routes that are missing). Where
the sender itself has such a route, its calls fail at once, with EINVAL ("Invalid argument"), which hardly anybody
takes for a route.`,
  requires: { modules: ['veth'] },
  network: (net) => networkWithRoute(net, 'blackhole'),
  async play({ net: { sender, router }, step, until }) {
    const socket = sender.udp({ options: { receiveErrors: true } });
    await step('the sender sends a datagram that the router has a blackhole for', async () => {
      await socket.send('far', { address: FAR, port: 9000 });
      await until('the router has it', () => router.counter('IpInReceives'));
    });
    const near = await step('and one that it has a blackhole for itself', () =>
      failureOf(socket.send('near', { address: NEAR, port: 9000 })),
    );
    const connect = await step('and connects there', () => failureOf(sender.connect({ address: NEAR, port: 80 })));
    return { near, connect };
  },
  expectations({ expect, facts, net: { sender, router } }) {
    const datagram = { proto: 'udp', daddr: FAR } as const;
    expect.value('what sendto() says', facts.near).toBe('EINVAL');
    expect.value('what connect() says', facts.connect).toBe('EINVAL');
    expect.trace({ daddr: NEAR }).toNotBeSeen();
    expect.trace(datagram).toBeDroppedAt('ip_error', NO_REASON);
    expect.trace(datagram).toHaveOutcome('dropped');
    expect.trace(datagram).toHaveCause('blackhole-route');
    expect.trace(datagram).toNotPass('__icmp_send');
    expect.counter('IpInReceives', { on: router }).toRise(1);
    expect.counter('IcmpOutMsgs', { on: router }).toStay();
    expect.counter('IpExtInNoRoutes', { on: router }).toStay();
    expect.counter('IpOutNoRoutes', { on: sender }).toStay();
    expect.counter('IcmpInMsgs', { on: sender }).toStay();
  },
});
