import { defineCase } from '../case.js';
import { NETFILTER_DROP, NFT_DROP_PLACE } from '../shared/drop-places.js';
import { failureOf } from '../sockets.js';

export default defineCase({
  name: 'nft-reject-reset',
  group: 'path',
  title: 'A rule of nftables refuses the SYN with a reset, as if nobody listened',
  description: `The server listens, but a rule refuses what comes to the port: nf_send_reset makes an RST in the name
of the server, and the SYN is freed as dropped. For the client it is the same as a port without a server: ECONNREFUSED
at once. What tells them apart on the server: the TCP stack has seen no segment, and TcpOutRsts, which counts the
resets of the TCP stack, stays.`,
  parameters: { port: { default: 8000, text: 'port that the rule refuses', range: [1, 65535] } },
  requires: { modules: ['veth', 'nf_tables', 'nft_reject_ipv4'], tools: ['nft'] },
  network(net, { parameters: { port } }) {
    const client = net.host('client');
    const server = net.host('server', {
      nft: `table ip filter {
        chain input { type filter hook input priority filter; policy accept; tcp dport ${port} reject with tcp reset; }
      }`,
    });
    net.link(client, server);
    return { client, server };
  },
  async play({ net: { client, server }, parameters: { port }, step }) {
    server.listen({ port });
    const answer = await step('the client connects', () =>
      failureOf(client.connect({ address: server.address, port })),
    );
    return { answer };
  },
  expectations({ expect, facts, net: { client, server }, parameters: { port } }) {
    const syn = { flags: 'S', dport: port };
    expect.value('what connect() says', facts.answer).toBe('ECONNREFUSED');
    expect.connection({ serverPort: port }).toHaveCause('connection-refused');
    expect.trace(syn).toPass('nf_send_reset');
    expect.trace(syn).toBeDroppedAt(NFT_DROP_PLACE, NETFILTER_DROP);
    expect.trace(syn, { needs: 'functions' }).toHaveOutcome('rejected');
    expect.trace(syn, { needs: 'functions' }).toHaveCause('netfilter-reject');
    expect.trace(syn).toNotPass('tcp_v4_rcv');
    expect.trace({ flags: 'RA', sport: port }).toBeSeen(1);
    expect.trace({ flags: 'RA', sport: port }).toHaveOutcome('worked');
    expect.counter('TcpInSegs', { on: server }).toStay();
    expect.counter('TcpOutRsts', { on: server }).toStay();
    expect.counter('TcpAttemptFails', { on: client }).toRise(1);
  },
});
