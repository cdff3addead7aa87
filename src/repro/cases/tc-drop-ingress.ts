import { byKernel, isInRange } from '../by-kernel.js';
import { defineCase } from '../case.js';
import { sendPastDrop } from '../shared/client-and-server.js';

export default defineCase({
  name: 'tc-drop-ingress',
  group: 'path',
  title: 'A tc filter at the ingress of an interface drops what arrives, before IP has seen it',
  description: `The filter hangs at the clsact qdisc of the server's interface. tcpdump there shows the datagrams, because
packet sockets are asked before; nftables and the counters of IP and UDP do not, because they come behind. The kernel frees
the packet in the core of the receive path.`,
  parameters: { port: { default: 5000, text: 'port whose datagrams are dropped', range: [1, 65535] } },
  requires: { modules: ['veth', 'sch_ingress', 'cls_flower', 'act_gact'], tools: ['tc'] },
  network(net, { parameters: { port } }) {
    const client = net.host('client');
    const server = net.host('server', {
      tc: [
        'qdisc add dev eth0 clsact',
        `filter add dev eth0 ingress protocol ip flower ip_proto udp dst_port ${port} action drop`,
      ],
    });
    net.link(client, server);
    return { client, server };
  },
  async play({ net, parameters: { port }, step }) {
    net.server.udp({ port });
    return await sendPastDrop({ net, step }, port);
  },
  expectations({ expect, facts, net: { server }, parameters: { port }, version }) {
    const dropped = { proto: 'udp', dport: port } as const;
    expect.value('what arrives at the other port', facts.received).toBe('taken');
    expect.trace(dropped).toBeSeen(1);
    expect
      .trace(dropped)
      .toBeDroppedAt(
        '__netif_receive_skb_core',
        byKernel({ '<5.17': undefined, '<5.18': 'NOT_SPECIFIED', else: 'TC_INGRESS' }),
      );
    expect.trace(dropped).toNotPass('ip_rcv');
    expect.trace(dropped).toHaveOutcome('dropped');
    // before, another function classifies what arrives, and the drop has no reason
    if (isInRange(version, '>=5.18')) {
      expect.trace(dropped).toPass('tcf_classify', { note: 'TC_ACT_SHOT' });
      expect.trace(dropped).toHaveCause('tc-drop');
    }
    expect.trace({ proto: 'udp', dport: facts.other }).toNotBeDropped();
    expect.counter('UdpInDatagrams', { on: server }).toRise(1);
    expect.counter('IpInReceives', { on: server }).toRise(1);
  },
});
