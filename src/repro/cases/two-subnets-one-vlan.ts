import { defineCase } from '../case.js';
import { failureOf } from '../sockets.js';

const REQUEST = 1;
const REPLY = 2;

const DEVICE = 'vlan7';

/** The host's end of VLAN 7. */
function vlan(address: string): string[] {
  return [
    `link add link eth0 name ${DEVICE} type vlan id 7`,
    `address add ${address} dev ${DEVICE}`,
    `link set ${DEVICE} up`,
  ];
}

export default defineCase({
  name: 'two-subnets-one-vlan',
  group: 'path',
  title:
    'Two subnets on one VLAN: ARP of the other subnet stays unanswered, and the host that is there seems to be gone',
  description: `Two hosts are in one VLAN of a switch, but they disagree on the network: the client has 10.0.0.1/16 and
takes 10.0.1.2 for a neighbour, the server has 10.0.1.2/24 and knows nothing of 10.0.0.0/24. The client's ARP requests
arrive (tcpdump on the server shows them), and are not answered: before it answers, the kernel looks up the way to the
asker, and with rp_filter on (1 or 2) a source that has no route by this interface is refused. No counter moves, the
frame is freed as one that did its work, and the client says EHOSTUNREACH, as if the server were off. With rp_filter 0
ARP is answered, and the SYN-ACK finds no route instead. The remedy is one subnet for one VLAN, or a route to the
other one (the second half of the case); log_martians makes the kernel log tell.`,
  parameters: { port: { default: 8000, text: 'port that is connected to', range: [1, 65535] } },
  requires: { modules: ['veth', 'bridge', '8021q'] },
  network(net) {
    const client = net.host('client', { ip: vlan('10.0.0.1/16') });
    const server = net.host('server', {
      sysctl: { 'net.ipv4.conf.all.rp_filter': 1, 'net.ipv4.conf.default.rp_filter': 1 },
      ip: vlan('10.0.1.2/24'),
    });
    // it forwards frames with their tags
    const bridge = net.bridge('switch');
    net.link(client, bridge, { arp: true, bare: 'left', addresses: ['10.0.0.1', ''] });
    net.link(server, bridge, { arp: true, bare: 'left', addresses: ['10.0.1.2', ''] });
    return { client, server };
  },
  async play({ net: { client, server }, parameters: { port }, step }) {
    client.setSysctl({
      [`net.ipv4.neigh.${DEVICE}.retrans_time_ms`]: 100,
      [`net.ipv4.neigh.${DEVICE}.mcast_solicit`]: 3,
    });
    const listener = server.listen({ port });
    const connect = () => failureOf(client.connect({ address: server.address, port }));
    const before = await step('the client connects', connect);
    await step('the server gets a route to the other subnet', () =>
      server.must(['ip', 'route', 'add', '10.0.0.0/24', 'dev', DEVICE]),
    );
    const after = await step('the client connects again', connect);
    (await listener.accept()).close();
    return { before, after };
  },
  expectations({ expect, facts, net: { client, server }, parameters: { port } }) {
    const asked = { proto: 'arp', arpOp: REQUEST, saddr: client.address, daddr: server.address } as const;
    expect.value('what connect() says', facts.before).toBe('EHOSTUNREACH');
    expect.value('what it says with the route', facts.after).toBe(undefined);
    expect.trace(asked).toPass('fib_validate_source', { note: 'reverse path filter' });
    expect.trace(asked, { needs: 'functions' }).toHaveCause('reverse-path-filter');
    expect.trace({ proto: 'arp', arpOp: REPLY, saddr: server.address }).toBeSeen();
    expect.trace({ flags: 'S', dport: port }).toHaveCause('neighbour-failed');
    expect.counter('TcpExtIPReversePathFilter', { on: server }).toStay();
    expect.counter('TcpAttemptFails', { on: client }).toRise(1);
    expect.counter('TcpPassiveOpens', { on: server }).toRise(1);
  },
});
