import { defineCase } from '../case.js';
import { matchesQuery } from '../trace-query.js';

const BYTES = 10_000;
/** How GRO frees what it has merged: whole, or without its head. */
const FREES = ['__kfree_skb', 'napi_skb_free_stolen_head'];

export default defineCase({
  name: 'gro-merge',
  group: 'path',
  title: 'Segments that arrive together are merged into one packet before IP sees them (GRO)',
  description: `The client's interface cuts nothing and TCP makes segments of one MTU each; the server's interface collects
what arrives in one round of NAPI and merges the segments of one connection. Above that, in netfilter, IP and TCP, there is
one large packet in place of several: counters and rules see fewer packets than were sent. A segment that was merged ends there:
it is no loss, its data goes on in another skb.

So that each segment is seen as a packet of its own, the client's TCP is told to make no large packets (gso_max_segs 1), and its
queue lets what has come go at once, every 200 ms (netem slot).`,
  parameters: { port: { default: 8000, text: 'port of the server', range: [1, 65535] } },
  // before, veth has NAPI only with an XDP program
  requires: { kernel: '>=5.13', modules: ['veth', 'sch_netem'], tools: ['ethtool', 'tc'] },
  network(net) {
    const client = net.host('client', { tc: ['qdisc add dev eth0 root netem slot 200ms'] });
    const server = net.host('server');
    net.link(client, server);
    return { client, server };
  },
  async play({ net: { client, server }, parameters: { port }, step }) {
    await client.must(['ethtool', '-K', 'eth0', 'tso', 'off']);
    await client.must(['ip', 'link', 'set', 'eth0', 'gso_max_segs', '1']);
    await server.must(['ethtool', '-K', 'eth0', 'gro', 'on']);
    const listener = server.listen({ port });
    const connection = await client.connect({ address: server.address, port });
    const accepted = await listener.accept();
    await step(`the client sends ${BYTES} bytes at once`, () => connection.send(Buffer.alloc(BYTES)));
    return { received: (await accepted.receiveBytes(BYTES)).length, port: connection.local.port };
  },
  expectations({ expect, facts, net: { client }, parameters: { port } }) {
    const data = { sport: facts.port, dport: port };
    expect.value('bytes that arrive', facts.received).toBe(BYTES);
    expect.that(
      'several segments, none larger than the MTU, come to GRO, and a larger packet to IP',
      ({ traces, noFunctions }) => {
        if (noFunctions !== undefined) return { invisible: noFunctions };
        const events = traces.filter((trace) => matchesQuery(trace, data)).flatMap((trace) => trace.events);
        const lengths = (name: string) => events.filter(({ func }) => func === name).map(({ len = 0 }) => len);
        const [segments, packets] = [lengths('dev_gro_receive'), lengths('ip_rcv_core')];
        return {
          ok: segments.length > 1 && segments.every((len) => len <= 1500) && packets.some((len) => len > 1500),
          seen: `lengths of ${segments.join(', ')} in GRO, ${packets.join(', ')} in IP`,
          measured: true,
        };
      },
    );
    expect
      .trace(data, { needs: 'functions' })
      .toSatisfy('ends in GRO: it is freed there, and IP never sees it', ({ events }) => {
        const gro = events.findIndex(({ func }) => func === 'dev_gro_receive');
        const behind = events.slice(gro + 1).map(({ func }) => func);
        return gro >= 0 && !behind.includes('ip_rcv_core') && FREES.some((func) => behind.includes(func));
      });
    expect.trace(data, { needs: 'functions' }).toHaveOutcome('merged');
    expect.trace(data, { needs: 'functions' }).toHaveOutcome('delivered');
    expect.trace(data).toNotBeDropped();
    expect.counter('TcpRetransSegs', { on: client }).toStay();
  },
});
