import { defineCase } from '../case.js';
import { NETFILTER_DROP, NFT_DROP_PLACE } from '../shared/drop-places.js';
import { failureOf } from '../sockets.js';

/** What a connected UDP socket hears of each (icmp_err_convert[] in net/ipv4/icmp.c), and the ICMP code. */
const ERRORS = {
  'port-unreachable': { errno: 'ECONNREFUSED', code: 3 },
  'admin-prohibited': { errno: 'EHOSTUNREACH', code: 13 },
  'host-prohibited': { errno: 'EHOSTUNREACH', code: 10 },
  'net-prohibited': { errno: 'ENETUNREACH', code: 9 },
} as const;
const UNREACHABLE = 3;

export default defineCase({
  name: 'nft-reject-icmp',
  group: 'path',
  title: 'A rule of nftables refuses a datagram with an ICMP error',
  description: `A socket is bound to the port, but a rule refuses what comes to it: nf_send_unreach has ICMP tell the
sender, and the datagram is freed as dropped. Which error the sender's socket gets depends on the code that the rule
names: port-unreachable is ECONNREFUSED, as if no socket were there; admin-prohibited is EHOSTUNREACH, "No route to
host", which is the riddle that firewalls give to people who then look for the route.`,
  parameters: {
    port: { default: 9000, text: 'port that the rule refuses', range: [1, 65535] },
    code: { default: 'admin-prohibited', text: 'what the rule answers', choices: Object.keys(ERRORS) },
  },
  requires: { modules: ['veth', 'nf_tables', 'nft_reject_ipv4'], tools: ['nft'] },
  network(net, { parameters: { port, code } }) {
    const client = net.host('client');
    const server = net.host('server', {
      nft: `table ip filter {
        chain input { type filter hook input priority filter; policy accept; udp dport ${port} reject with icmp type ${code}; }
      }`,
    });
    net.link(client, server);
    return { client, server };
  },
  async play({ net: { client, server }, parameters: { port }, step }) {
    const to = { address: server.address, port };
    server.udp({ port });
    const socket = client.udp();
    socket.connect(to);
    await step('the client sends a datagram', () => socket.send('hello', to));
    const answer = await step('and waits for an answer', () => failureOf(socket.receive()));
    return { answer };
  },
  expectations({ expect, facts, net: { client, server }, parameters: { port, code } }) {
    const datagram = { proto: 'udp', dport: port } as const;
    const error = ERRORS[code as keyof typeof ERRORS];
    expect.value('what the next call says', facts.answer).toBe(error.errno);
    expect.trace(datagram).toPass('nf_send_unreach');
    expect.trace(datagram).toPass('__icmp_send');
    expect.trace(datagram).toBeDroppedAt(NFT_DROP_PLACE, NETFILTER_DROP);
    expect.trace(datagram, { needs: 'functions' }).toHaveOutcome('rejected');
    expect.trace(datagram, { needs: 'functions' }).toHaveCause('netfilter-reject');
    expect
      .trace({ proto: 'icmp', icmpType: UNREACHABLE, saddr: server.address })
      .toSatisfy(`says ${code}`, ({ events }) => events.some(({ icmp }) => icmp?.code === error.code));
    expect.counter('IcmpOutDestUnreachs', { on: server }).toRise(1);
    expect.counter('UdpInDatagrams', { on: server }).toStay();
    expect.counter('UdpNoPorts', { on: server }).toStay();
    expect.counter('IcmpInDestUnreachs', { on: client }).toRise(1);
  },
});
