import { fileURLToPath } from 'node:url';
import { isInRange } from '../by-kernel.js';
import { defineCase } from '../case.js';
import { sendPastDrop } from '../shared/client-and-server.js';

/** Built into the program below: bpf/xdp-drop.bpf.c. */
const PORT = 5000;
const OBJECT = fileURLToPath(new URL('../../bpf/xdp-drop.bpf.o', import.meta.url));

export default defineCase({
  name: 'xdp-drop',
  group: 'path',
  title: 'An XDP program drops what arrives before anything else has seen it, tcpdump included',
  description: `The program hangs at the server's interface (generic XDP; a driver's own XDP would run before there is an skb, and
no tracer of skbs would see the packet). It drops datagrams to port 5000. tcpdump on the server shows nothing, no counter of IP
moves: ip link show names the program, bpftool net too.`,
  requires: { modules: ['veth'] },
  network(net) {
    const client = net.host('client');
    const server = net.host('server', { ip: [`link set dev eth0 xdpgeneric obj ${OBJECT} sec xdp`] });
    net.link(client, server);
    return { client, server };
  },
  async play({ net, step }) {
    net.server.udp({ port: PORT });
    return await sendPastDrop({ net, step }, PORT);
  },
  expectations({ expect, facts, net: { server }, version }) {
    const dropped = { proto: 'udp', dport: PORT } as const;
    expect.value('what arrives at the other port', facts.received).toBe('taken');
    expect.trace(dropped).toBeSeen(1);
    expect
      .trace(dropped)
      .toSatisfy('is dropped where generic XDP runs', ({ events }) =>
        events.some(({ drop }) => drop && /^(do_xdp_generic|netif_receive_generic_xdp)\b/.test(drop.location)),
      );
    expect.trace(dropped).toNotPass('ip_rcv');
    expect.trace(dropped).toHaveOutcome('dropped');
    if (isInRange(version, '>=6.12')) expect.trace(dropped).toHaveCause('xdp-drop');
    expect.counter('IpInReceives', { on: server }).toRise(1);
  },
});
