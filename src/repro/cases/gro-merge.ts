import { defineCase } from '../case.js';
import { clientAndServer } from '../shared/client-and-server.js';

const BYTES = 10_000;

export default defineCase({
  name: 'gro-merge',
  group: 'path',
  title: 'Segments that arrive together are merged into one packet before IP sees them (GRO)',
  description: `The client's interface cuts nothing and TCP makes segments of one MTU each; the server's interface collects
what arrives in one round of NAPI and merges the segments of one connection. Above that, in netfilter, IP and TCP, there is
one large packet in place of several: counters and rules see fewer packets than were sent. A segment that was merged ends there:
it is no loss, its data goes on in another skb.`,
  parameters: { port: { default: 8000, text: 'port of the server', range: [1, 65535] } },
  // before, veth has NAPI only with an XDP program
  requires: { kernel: '>=5.13', modules: ['veth'], tools: ['ethtool'] },
  network: clientAndServer,
  async play({ net: { client, server }, parameters: { port }, step }) {
    await client.must(['ethtool', '-K', 'eth0', 'tso', 'off', 'gso', 'off']);
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
    expect
      .trace(data, { needs: 'functions' })
      .toSatisfy(
        'comes to GRO as several segments, none of them larger than the MTU, and to IP as a larger one',
        ({ events }) => {
          const at = (name: string) => events.filter(({ func }) => func === name);
          const segments = at('dev_gro_receive');
          return (
            segments.length > 1 &&
            segments.every(({ len = 0 }) => len <= 1500) &&
            at('ip_rcv_core').some(({ len = 0 }) => len > 1500)
          );
        },
      );
    expect.trace(data, { needs: 'functions' }).toHaveOutcome('delivered');
    expect.trace(data).toNotBeDropped();
    expect.counter('TcpRetransSegs', { on: client }).toStay();
  },
});
