import { defineCase } from '../case.js';
import { reasonSince } from '../shared/drop-places.js';

export default defineCase({
  name: 'rp-filter',
  group: 'path',
  title: 'A packet that comes in by the wrong interface is dropped by rp_filter',
  description: `Two cables join client and server. The client's route sends by the second one what carries the address
of the first. The server knows that address behind eth0, and the packet came in by eth1: with
net.ipv4.conf.*.rp_filter=1 (strict) it is dropped in the route lookup, silently, with IPReversePathFilter as the only
trace. That is what happens to asymmetric routing, multi-homed hosts and VPNs. The larger of the interface's and all's
value counts; with 2 (loose) the address need only be reachable by any interface, and the second datagram of this case
is taken.`,
  parameters: { port: { default: 9000, text: 'port that is sent to', range: [1, 65535] } },
  requires: { modules: ['veth'] },
  network(net) {
    const client = net.host('client', { ip: ['route add 10.0.0.2/32 via 10.0.1.2 dev eth1 src 10.0.0.1'] });
    const server = net.host('server', {
      sysctl: {
        'net.ipv4.conf.all.rp_filter': 1,
        'net.ipv4.conf.eth0.rp_filter': 1,
        'net.ipv4.conf.eth1.rp_filter': 1,
      },
    });
    net.link(client, server);
    net.link(client, server);
    return { client, server };
  },
  async play({ net: { client, server }, parameters: { port }, step, until }) {
    const to = { address: server.address, port };
    const receiver = server.udp({ port });
    const strict = client.udp();
    const loose = client.udp();
    await step('the client sends a datagram by eth1', async () => {
      await strict.send('strict', to);
      await until('it is refused', () => server.counter('IPReversePathFilter'));
    });
    const taken = await step('the check is made loose, and it sends another', async () => {
      server.setSysctl({ 'net.ipv4.conf.eth1.rp_filter': 2 });
      await loose.send('loose', to);
      return (await receiver.receive()).data.toString();
    });
    return { strict: strict.port, loose: loose.port, taken };
  },
  expectations({ expect, facts, net: { client, server } }) {
    const refused = { proto: 'udp', sport: facts.strict } as const;
    expect.value('what the server gets first', facts.taken).toBe('loose');
    expect.trace(refused).toBeDroppedAt('ip_rcv_finish_core', reasonSince('5.18', 'IP_RPFILTER'));
    expect.trace(refused).toHaveOutcome('dropped');
    expect.trace(refused).toHaveCause('reverse-path-filter');
    expect.trace(refused).toPass('fib_validate_source', { ifname: 'eth1', note: 'reverse path filter' });
    expect.trace(refused).toNotPass('ip_local_deliver');
    expect.trace({ proto: 'udp', sport: facts.loose }, { needs: 'functions' }).toHaveOutcome('delivered');
    expect.counter('TcpExtIPReversePathFilter', { on: server }).toRise(1);
    expect.counter('UdpInDatagrams', { on: server }).toRise(1);
    expect.counter('IcmpInMsgs', { on: client }).toStay();
  },
});
