import { defineCase } from '../case.js';

export default defineCase({
  name: 'dnat',
  group: 'path',
  title: 'A router sends a connection on to another address and port: one trace, both destinations',
  description: `The client connects to a port of the router, whose nat table sends it on to a server behind it. The SYN
is one packet on its whole way, with one destination before the prerouting hook and another behind it. What the client
has connected to, and where it really ended, stand in one trace.`,
  parameters: {
    port: { default: 80, text: 'port of the router that is connected to', range: [1, 65535] },
    target: { default: 8000, text: 'port of the server', range: [1, 65535] },
  },
  requires: { modules: ['veth', 'nf_tables', 'nft_chain_nat'], tools: ['nft'] },
  network(net, { parameters: { port, target } }) {
    const client = net.host('client', { ip: ['route add default via 10.0.0.2'] });
    const router = net.router('router', {
      nft: `table ip nat { chain pre { type nat hook prerouting priority -100; iifname "eth0" tcp dport ${port} dnat to 10.0.1.2:${target}; }; }`,
    });
    const server = net.host('server', { ip: ['route add default via 10.0.1.1'] });
    net.link(client, router);
    net.link(router, server);
    return { client, router, server };
  },
  async play({ net: { client, router, server }, parameters: { port, target }, step }) {
    const listener = server.listen({ port: target });
    const connection = await step('the client connects to the router', () =>
      client.connect({ address: router.address, port }),
    );
    const accepted = await listener.accept();
    return { port: connection.local.port, seenByServer: accepted.peer.address };
  },
  expectations({ expect, facts, net: { client, router, server }, parameters: { port, target } }) {
    const syn = { flags: 'S', daddr: router.address, sport: facts.port, dport: port };
    const synAck = { flags: 'SA', saddr: server.address, sport: target };
    expect.value("the client's address as the server sees it", facts.seenByServer).toBe(client.address);
    expect.trace(syn).toBeSeen(1);
    expect
      .trace(syn)
      .toSatisfy('goes on to the server', ({ events }) =>
        events.some(({ tuple }) => tuple?.daddr === server.address && tuple.dport === target),
      );
    expect.trace(syn).toHaveNote('NAT');
    expect.trace(syn).toPass('ip_forward');
    expect.trace(syn).toNotBeDropped();
    expect
      .trace(synAck)
      .toSatisfy('comes back as from the router', ({ events }) =>
        events.some(({ tuple }) => tuple?.saddr === router.address && tuple.sport === port),
      );
    expect.socket({ state: 'ESTABLISHED', on: server, localPort: target, peer: client.address }).toRemain(1);
    expect.socket({ state: 'ESTABLISHED', on: client, peer: router.address, peerPort: port }).toRemain(1);
  },
});
