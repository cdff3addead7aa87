import { defineCase } from '../case.js';

export default defineCase({
  name: 'snat',
  group: 'path',
  title: 'A router rewrites the source address (masquerading): one trace, both addresses',
  description: `The client reaches the server through a router that masquerades. The SYN leaves the client with the
client's address and arrives at the server with the router's; the SYN-ACK makes the way back. Both are one packet each,
and so one trace each: it begins with the addresses from before the router and ends with those from behind it. With
tcpdump on both sides one would have to guess which packet there is which here.`,
  parameters: { port: { default: 8000, text: 'port of the server', range: [1, 65535] } },
  requires: { modules: ['veth', 'nf_tables', 'nft_chain_nat'], tools: ['nft'] },
  network(net) {
    const client = net.host('client', { ip: ['route add default via 10.0.0.2'] });
    const router = net.router('router', {
      nft: 'table ip nat { chain post { type nat hook postrouting priority 100; oifname "eth1" masquerade; }; }',
    });
    const server = net.host('server');
    net.link(client, router);
    const outside = net.link(router, server);
    return { client, router, server, outside };
  },
  async play({ net: { client, server }, parameters: { port }, step }) {
    const listener = server.listen({ port });
    const connection = await step('the client connects through the router', () =>
      client.connect({ address: server.address, port }),
    );
    const accepted = await listener.accept();
    return { seenByServer: accepted.peer.address, port: connection.local.port };
  },
  expectations({ expect, facts, net: { client, server, outside }, parameters: { port } }) {
    const syn = { flags: 'S', saddr: client.address, sport: facts.port, dport: port };
    const synAck = { flags: 'SA', saddr: server.address, sport: port };
    expect.value("the client's address as the server sees it", facts.seenByServer).toBe(outside.left.address);
    expect.trace(syn).toBeSeen(1);
    expect
      .trace(syn)
      .toSatisfy('goes on with the address of the router', ({ events }) =>
        events.some(({ tuple }) => tuple?.saddr === outside.left.address && tuple.daddr === server.address),
      );
    expect.trace(syn).toHaveNote('NAT');
    expect.trace(syn).toPass('ip_forward');
    expect.trace(syn).toNotBeDropped();
    expect
      .trace(synAck)
      .toSatisfy('goes on to the address of the client', ({ events }) =>
        events.some(({ tuple }) => tuple?.daddr === client.address && tuple.saddr === server.address),
      );
    expect.socket({ state: 'ESTABLISHED', on: server, peer: outside.left.address }).toRemain(1);
    expect.socket({ state: 'ESTABLISHED', on: client, peer: server.address }).toRemain(1);
  },
});
