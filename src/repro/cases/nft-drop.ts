import { defineCase } from '../case.js';
import { NETFILTER_DROP, NFT_DROP_PLACE } from '../shared/drop-places.js';
import { failureOf } from '../sockets.js';

export default defineCase({
  name: 'nft-drop',
  group: 'path',
  title: 'A rule of nftables drops the SYN, and the client hears nothing',
  description: `The server listens, but a rule in its input chain drops what comes to the port. Nothing is answered,
so the client cannot tell a firewall from a dead host or a broken cable: its SYN is sent again until connect() gives
up with ETIMEDOUT (after two minutes by default, here after the first retransmission). The kernel frees the packet in
nf_hook_slow, where every hook's verdict is carried out, or on newer kernels in nft_do_chain: which rule it was, nft
list ruleset (counters) or nft monitor trace tells.`,
  parameters: { port: { default: 8000, text: 'port that the rule drops', range: [1, 65535] } },
  requires: { modules: ['veth', 'nf_tables'], tools: ['nft'] },
  network(net, { parameters: { port } }) {
    const client = net.host('client');
    const server = net.host('server', {
      nft: `table ip filter {
        chain input { type filter hook input priority filter; policy accept; tcp dport ${port} counter drop; }
      }`,
    });
    net.link(client, server);
    return { client, server };
  },
  async play({ net: { client, server }, parameters: { port }, step }) {
    server.listen({ port });
    // gives up when the first retransmission has not helped, 1 s after the SYN
    const options = { synCount: 1, userTimeout: 100 };
    const answer = await step('the client connects, and gives up', () =>
      failureOf(client.connect({ address: server.address, port }, { options })),
    );
    const rules = await server.must(['nft', 'list', 'chain', 'ip', 'filter', 'input']);
    return { answer, counted: Number(/counter packets (\d+)/.exec(rules)?.[1]) };
  },
  expectations({ expect, facts, net: { client, server }, parameters: { port } }) {
    const syn = { flags: 'S', dport: port };
    expect.value('what connect() says', facts.answer).toBe('ETIMEDOUT');
    expect.connection({ serverPort: port }).toHaveCause('syn-unanswered');
    expect.value('what the rule has counted: the SYN, and the same again', facts.counted).toBe(2);
    expect.trace(syn).toPass('nft_do_chain', { note: /table:\s*filter.*chain:\s*input/ });
    expect.trace(syn).toBeDroppedAt(NFT_DROP_PLACE, NETFILTER_DROP);
    expect.trace(syn).toHaveOutcome('dropped');
    expect.trace(syn).toHaveCause('netfilter-drop');
    expect.trace(syn).toNotPass('tcp_v4_rcv');
    expect.trace({ sport: port }).toNotBeSeen();
    expect.counter('TcpInSegs', { on: server }).toStay();
    expect.counter('TcpRetransSegs', { on: client }).toRise(1);
    expect.socket({ state: 'SYN_RECV', on: server }).toNotRemain();
  },
});
