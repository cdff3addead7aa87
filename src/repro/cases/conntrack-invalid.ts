import { defineCase } from '../case.js';
import { clientAndServer } from '../shared/client-and-server.js';
import { NETFILTER_DROP, NFT_DROP_PLACE } from '../shared/drop-places.js';

export default defineCase({
  name: 'conntrack-invalid',
  group: 'path',
  title: 'A connection that conntrack has not seen begin: its segments are INVALID, and a rule drops them',
  description: `The connection stands before the firewall is loaded (or before a failover to this machine), and
nf_conntrack_tcp_loose is 0: conntrack does not pick up connections in their middle. A segment of it has the state
INVALID, and the usual rule "ct state invalid drop" drops it. The sender sends it again and again until it gives up;
new connections work, which makes it look like a fault of the application.`,
  parameters: { port: { default: 8000, text: 'port of the server', range: [1, 65535] } },
  requires: { modules: ['veth', 'nf_tables', 'nft_ct', 'nf_conntrack'], tools: ['nft'] },
  trace: ['conntrack'],
  network: clientAndServer,
  async play({ net: { client, server }, parameters: { port }, step, until }) {
    const listener = server.listen({ port });
    const connection = await client.connect({ address: server.address, port });
    await listener.accept();
    await step('the firewall is loaded while the connection stands', async () => {
      const chain = 'type filter hook input priority 0;';
      await server.must(['nft', '-f', '-'], `table inet t { chain in { ${chain} ct state invalid counter drop; }; }`);
      server.setSysctl({ 'net.netfilter.nf_conntrack_tcp_loose': 0 });
    });
    await step('the client sends on', () => connection.send('are you there?'));
    const drops = async () => /packets (\d+)/.exec(await server.must(['nft', 'list', 'ruleset']))?.[1];
    await until('the rule has dropped it twice', async () => Number(await drops()) >= 2);
    const again = await step('another client connects', () => client.connect({ address: server.address, port }));
    await listener.accept();
    return { old: connection.local.port, fresh: again.local.port };
  },
  expectations({ expect, facts, net: { client, server }, parameters: { port } }) {
    const data = { sport: facts.old, dport: port, payload: 14 };
    expect.trace(data).toBeDroppedAt(NFT_DROP_PLACE, NETFILTER_DROP);
    expect.trace(data, { needs: 'functions' }).toHaveNote('INVALID');
    expect.trace(data).toHaveOutcome('dropped');
    expect.trace(data, { needs: 'functions' }).toHaveCause('conntrack-invalid');
    expect.trace({ flags: 'S', sport: facts.fresh }).toNotBeDropped();
    expect.counter('TcpRetransSegs', { on: client }).toRiseAtLeast(1);
    expect.socket({ state: 'ESTABLISHED', on: client, localPort: facts.old }).toRemain(1);
    expect.socket({ state: 'ESTABLISHED', on: server, peerPort: facts.fresh }).toRemain(1);
  },
});
