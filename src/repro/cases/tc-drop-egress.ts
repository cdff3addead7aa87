import { byKernel } from '../by-kernel.js';
import { defineCase } from '../case.js';
import { sendPastDrop } from '../shared/client-and-server.js';

export default defineCase({
  name: 'tc-drop-egress',
  group: 'path',
  title: 'A tc filter at the egress of an interface drops what is sent, behind the firewall and before tcpdump',
  description: `The filter hangs at the clsact qdisc of the client's own interface. The datagram has passed the output and
postrouting hooks of netfilter, and tcpdump on that interface does not see it. The sending system call succeeds; the kernel
counts the loss as UdpSndbufErrors and IpOutDiscards.`,
  parameters: { port: { default: 5000, text: 'port whose datagrams are dropped', range: [1, 65535] } },
  requires: { modules: ['veth', 'sch_ingress', 'cls_flower', 'act_gact'], tools: ['tc'] },
  network(net, { parameters: { port } }) {
    const client = net.host('client', {
      tc: [
        'qdisc add dev eth0 clsact',
        `filter add dev eth0 egress protocol ip flower ip_proto udp dst_port ${port} action drop`,
      ],
    });
    const server = net.host('server');
    net.link(client, server);
    return { client, server };
  },
  async play({ net, parameters: { port }, step }) {
    return await sendPastDrop({ net, step }, port);
  },
  expectations({ expect, facts, net: { client }, parameters: { port } }) {
    const dropped = { proto: 'udp', dport: port } as const;
    expect.value('what arrives at the other port', facts.received).toBe('taken');
    expect.trace(dropped).toBeSeen(1);
    expect
      .trace(dropped)
      .toBeDroppedAt('__dev_queue_xmit', byKernel({ '<5.17': undefined, '<5.18': 'NOT_SPECIFIED', else: 'TC_EGRESS' }));
    expect.trace(dropped).toPass('tcf_classify', { note: 'TC_ACT_SHOT' });
    expect.trace(dropped).toNotPass('dev_hard_start_xmit');
    expect.trace(dropped).toHaveOutcome('dropped');
    expect.trace(dropped).toHaveCause('tc-drop');
    expect.counter('UdpSndbufErrors', { on: client }).toRise(1);
    expect.counter('IpOutDiscards', { on: client }).toRise(1);
  },
});
