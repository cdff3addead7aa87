import { defineCase } from '../case.js';
import { NETFILTER_DROP, NFT_DROP_PLACE, reasonSince } from '../shared/drop-places.js';

const UNREACHABLE = 3;

export default defineCase({
  name: 'mtu-black-hole',
  group: 'path',
  title: 'ICMP fragmentation needed is filtered: the connection stands, small data passes, large data never arrives',
  description: `The link between two routers has a smaller MTU than both ends, and a firewall drops all ICMP. The
handshake and small requests pass. The first full segment is too large for the link, has DF, and is freed by the
router, whose ICMP answer does not get through: the client sends the same segment again and again until tcp_retries2
gives up. That is the classic of VPNs and PPPoE: ssh logs in and hangs, a TLS handshake stops at the certificate.
Remedies: let ICMP type 3 through, clamp the MSS on the router (TCPMSS --clamp-mss-to-pmtu), or
net.ipv4.tcp_mtu_probing=1 on the sender.`,
  parameters: {
    port: { default: 8000, text: 'port that is connected to', range: [1, 65535] },
    mtu: { default: 1300, text: 'MTU of the link between the routers', unit: 'bytes', range: [600, 1400] },
  },
  requires: { modules: ['veth', 'nf_tables'], tools: ['nft'] },
  network(net, { parameters: { mtu } }) {
    const client = net.host('client', {
      ip: ['route add default via 10.0.0.2 rto_min 20ms'],
      sysctl: { 'net.ipv4.tcp_mtu_probing': 0 },
      nft: 'table ip filter { chain input { type filter hook input priority filter; icmp type destination-unreachable drop; }; }',
    });
    const first = net.router('first', { ip: ['route add default via 10.0.1.2'] });
    const second = net.router('second', { ip: ['route add default via 10.0.1.1'] });
    const server = net.host('server', { ip: ['route add default via 10.0.2.1'] });
    net.link(client, first);
    net.link(first, second, { mtu });
    net.link(second, server);
    return { client, first, server };
  },
  async play({ net: { client, first, server }, parameters: { port }, step, until }) {
    const listener = server.listen({ port });
    const connection = await step('the client connects', () => client.connect({ address: server.address, port }));
    const accepted = await listener.accept();
    const small = await step('it sends a small request', async () => {
      await connection.send('small');
      return (await accepted.receiveBytes(5)).toString();
    });
    await step('it sends 1448 bytes, twice again when no ACK comes', async () => {
      await connection.send(Buffer.alloc(1448, 'x'));
      await until('three were refused', () => first.counter('IpFragFails') >= 3);
    });
    return { small, unread: accepted.socket.receive(1) === undefined };
  },
  expectations({ expect, facts, net: { client, first, server }, parameters: { port } }) {
    const full = { dport: port, payload: 1448 };
    expect.value('the small request', facts.small).toBe('small');
    expect.value('nothing of the large one is there', facts.unread).toBe(true);
    expect.connection({ serverPort: port }).toHaveCause('retransmitting');
    expect.trace(full).toBeDroppedAt('ip_forward', reasonSince('5.19', 'PKT_TOO_BIG'));
    expect.trace(full).toHaveCause('mtu-exceeded');
    const error = { proto: 'icmp', icmpType: UNREACHABLE, saddr: first.address } as const;
    expect.trace(error).toBeDroppedAt(NFT_DROP_PLACE, NETFILTER_DROP);
    expect.trace(error).toHaveCause('netfilter-drop');
    expect.counter('IpFragFails', { on: first }).toRiseAtLeast(3);
    expect.counter('TcpRetransSegs', { on: client }).toRiseAtLeast(2);
    expect.counter('IcmpInDestUnreachs', { on: client }).toStay();
    expect.socket({ state: 'ESTABLISHED', on: client }).toRemain(1);
    expect.socket({ state: 'ESTABLISHED', on: server }).toRemain(1);
    expect.that('the large request waits in the client', ({ sockets }) => {
      const found = sockets.find(({ host, socket }) => host === client.name && socket.state === 'ESTABLISHED');
      return { ok: found?.socket.sendQueue === 1448, seen: `${found?.socket.sendQueue} bytes wait` };
    });
  },
});
