import { defineCase } from '../case.js';

const PORT = 8000;

export default defineCase({
  name: 'time-wait-overflow',
  group: 'closing',
  title: 'More connections than tcp_max_tw_buckets are closed: those above it are forgotten at once, without TIME_WAIT',
  description: `Who closes first keeps the connection for a minute more: in FIN_WAIT2 until the other side's FIN comes, then in TIME_WAIT.
The kernel does that with a small object of its own, of which tcp_max_tw_buckets may exist. When there are that many, a
connection that would become one is forgotten at once, the counter TCPTimeWaitOverflow rises, and "TCP: time wait bucket table
overflow" is in the log. Here this happens when the client has acknowledged the server's FIN but has not closed yet: the client's
FIN then finds no connection and is answered with RST. The client's application has closed by then and notices nothing, but with
data in place of the FIN it would read ECONNRESET.`,
  parameters: {
    buckets: { default: 2, text: 'net.ipv4.tcp_max_tw_buckets of the server', range: [1, 100] },
    connections: { default: 5, text: 'connections that the server closes', range: [1, 100] },
  },
  requires: { modules: ['veth'] },
  network(net, { parameters: { buckets } }) {
    const client = net.host('client');
    const server = net.host('server', { sysctl: { 'net.ipv4.tcp_max_tw_buckets': buckets } });
    net.link(client, server);
    return { client, server };
  },
  async play({ net: { client, server }, parameters: { connections }, step }) {
    const listener = server.listen({ port: PORT });
    for (let i = 1; i <= connections; i++) {
      await step(`connection ${i}: the server closes, then the client`, async () => {
        const connection = await client.connect({ address: server.address, port: PORT });
        (await listener.accept()).close();
        await connection.receive();
        await server.untilNoSocket({ state: 'FIN_WAIT1' });
        connection.close();
        await client.untilNoSocket({});
      });
    }
  },
  expectations({ expect, net: { client, server }, parameters: { buckets, connections } }) {
    const above = Math.max(0, connections - buckets);
    const late = { flags: 'FA', dport: PORT };
    expect.counter('TCPTimeWaitOverflow', { on: server }).toRise(above);
    expect.socket({ state: 'TIME_WAIT', on: server }).toRemain(connections - above);
    expect.socket({ on: client }).toNotRemain();
    expect.counter('OutRsts', { on: server }).toRise(above);
    expect.trace(late).toBeSeen(connections);
    if (above > 0) expect.trace(late).toHaveOutcome('rejected');
    expect.trace({ flags: 'R', sport: PORT }).toBeSeen(above);
  },
});
