import { defineCase } from '../case.js';
import { clientAndServer } from '../shared/client-and-server.js';

const BYTES = 10_000;

export default defineCase({
  name: 'gso-split',
  group: 'path',
  title: 'TCP hands down one large segment, and the kernel cuts it for a device that cannot (GSO)',
  description: `TCP makes segments of up to 64 KiB, and leaves it to the network card to cut them (TSO). This interface
cannot, so the kernel does it at the last moment (__skb_gso_segment), behind netfilter and the qdisc. Ten thousand bytes are one
packet down to there, and seven on the wire; all of them are one trace. Rules that count packets count other numbers than the
peer does, and tcpdump at the sender shows packets that are larger than the MTU only if the card cuts them.`,
  parameters: { port: { default: 8000, text: 'port of the server', range: [1, 65535] } },
  requires: { modules: ['veth'], tools: ['ethtool'] },
  network: clientAndServer,
  async play({ net: { client, server }, parameters: { port }, step }) {
    await client.must(['ethtool', '-K', 'eth0', 'tso', 'off', 'gso', 'on']);
    const listener = server.listen({ port });
    const connection = await client.connect({ address: server.address, port });
    const accepted = await listener.accept();
    await step(`the client sends ${BYTES} bytes at once`, () => connection.send(Buffer.alloc(BYTES)));
    return { received: (await accepted.receiveBytes(BYTES)).length, port: connection.local.port };
  },
  expectations({ expect, facts, net: { client }, parameters: { port } }) {
    const data = {
      sport: facts.port,
      dport: port,
      where: {
        text: 'with more bytes than fit into the MTU',
        test: (trace: { events: { len?: number }[] }) => trace.events.some(({ len = 0 }) => len > 1600),
      },
    };
    expect.value('bytes that arrive', facts.received).toBe(BYTES);
    expect.trace(data).toPass('__skb_gso_segment', { note: 'cut into segments' });
    expect
      .trace(data, { needs: 'functions' })
      .toSatisfy('becomes several, none of them larger than the MTU, at the receiver', ({ skbs, events }) => {
        const received = events.filter(({ func }) => func === 'ip_rcv');
        return skbs.length > 2 && received.length > 1 && received.every(({ len = 0 }) => len <= 1500);
      });
    expect.trace(data, { needs: 'functions' }).toHaveOutcome('delivered');
    expect.counter('TcpRetransSegs', { on: client }).toStay();
  },
});
