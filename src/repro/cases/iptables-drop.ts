import { defineCase } from '../case.js';
import { NETFILTER_DROP, NFT_DROP_PLACE } from '../shared/drop-places.js';

export default defineCase({
  name: 'iptables-drop',
  group: 'path',
  title: 'A rule of iptables on a router drops what should be forwarded',
  description: `A router forwards, its routes are right, and still a datagram does not come through: a rule in the
FORWARD chain drops it. Container hosts set the policy of that chain to DROP, which has the same effect on everything
that they route for others. Neither end hears of it; iptables -L FORWARD -v shows the counter of the rule that did it.
The kernel frees the packet in nf_hook_slow, called by ip_forward, or, where iptables is a way to write rules of
nftables, on newer kernels in nft_do_chain.`,
  parameters: { port: { default: 9000, text: 'port that the rule drops', range: [1, 65535] } },
  requires: { modules: ['veth'], tools: ['iptables', 'iptables-restore'] },
  network(net, { parameters: { port } }) {
    const client = net.host('client', { ip: ['route add default via 10.0.0.2'] });
    const router = net.router('router', { iptables: [`-A FORWARD -p udp --dport ${port} -j DROP`] });
    const server = net.host('server', { ip: ['route add default via 10.0.1.1'] });
    net.link(client, router);
    net.link(router, server);
    return { client, router, server };
  },
  async play({ net: { client, router, server }, parameters: { port }, step, until }) {
    server.udp({ port });
    const socket = client.udp();
    await step('the client sends a datagram', () => socket.send('hello', { address: server.address, port }));
    await step('the rule counts it', () =>
      until('the rule has counted 1 packet', async () =>
        /^\s*1\s/m.test(await router.must(['iptables', '-L', 'FORWARD', '-v', '-x', '-n'])),
      ),
    );
    return { isLegacy: (await router.must(['iptables', '--version'])).includes('legacy') };
  },
  expectations({ expect, facts, net: { client, router, server }, parameters: { port } }) {
    const datagram = { proto: 'udp', dport: port } as const;
    expect.trace(datagram).toPass('ip_forward');
    expect
      .trace(datagram)
      .toPass(facts.isLegacy ? 'ipt_do_table' : 'nft_do_chain', { note: /table:\s*filter.*chain:\s*FORWARD/ });
    expect.trace(datagram).toBeDroppedAt(facts.isLegacy ? 'nf_hook_slow' : NFT_DROP_PLACE, NETFILTER_DROP);
    expect.trace(datagram).toHaveOutcome('dropped');
    expect.trace(datagram).toHaveCause('netfilter-drop');
    expect.trace(datagram).toNotPass('ip_forward_finish');
    expect.trace({ proto: 'icmp' }).toNotBeSeen();
    expect.counter('IpInReceives', { on: router }).toRise(1);
    expect.counter('IpInReceives', { on: server }).toStay();
    expect.counter('IcmpInMsgs', { on: client }).toStay();
  },
});
