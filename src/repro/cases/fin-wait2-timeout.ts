import { byKernel } from '../by-kernel.js';
import { defineCase } from '../case.js';
import { connectClient } from '../shared/client-and-server.js';

const PORT = 8000;

export default defineCase({
  name: 'fin-wait2-timeout',
  group: 'closing',
  title: 'The client never closes: the server forgets the half-closed connection after tcp_fin_timeout',
  description: `The server has closed and waits in FIN_WAIT2 for the client's FIN, which does not come because the client's application
does not close its socket: it stays in CLOSE_WAIT, and many of these are the sign of an application that leaks sockets. The server
does not wait for ever: tcp_fin_timeout (60 seconds by default, 1 here) after its close() the socket is forgotten. When the client
closes at last, its FIN finds no connection and is answered with RST, which nobody notices any more.`,
  requires: { modules: ['veth'] },
  network(net) {
    const client = net.host('client');
    const server = net.host('server', { sysctl: { 'net.ipv4.tcp_fin_timeout': 1 } });
    net.link(client, server);
    return { client, server };
  },
  async play({ net, step }) {
    const { client, server } = net;
    const { connection, accepted } = await connectClient({ net, step }, PORT);
    const start = performance.now();
    await step('the server closes', async () => {
      accepted.close();
      await server.untilSocket({ state: 'FIN_WAIT2' });
    });
    await client.untilSocket({ state: 'CLOSE_WAIT' });
    await step('the client does not close, until the server has forgotten the connection', () =>
      server.untilNoSocket({ state: 'FIN_WAIT2' }),
    );
    const seconds = (performance.now() - start) / 1000;
    await step('the client closes', async () => {
      connection.close();
      await client.untilNoSocket({});
    });
    return { seconds };
  },
  expectations({ expect, facts, net: { server } }) {
    const late = { flags: 'FA', dport: PORT };
    expect.value('FIN_WAIT2 on the server lasts', facts.seconds).toBeBetween(0.9, 5, 's');
    expect.trace({ flags: 'FA', sport: PORT }).toHaveOutcome('delivered');
    expect.trace(late).toPass('tcp_v4_send_reset');
    expect
      .trace(late)
      .toBeDroppedAt(
        'tcp_v4_do_rcv',
        byKernel({ '<5.17': undefined, '5.17-6.8': 'NOT_SPECIFIED', '>=6.9': 'TCP_FLAGS' }),
      );
    expect.trace({ flags: 'R', sport: PORT }).toBeSeen(1);
    expect.counter('OutRsts', { on: server }).toRise(1);
    expect.socket('FIN_WAIT2').toNotRemain();
    expect.socket('TIME_WAIT').toNotRemain();
    expect.socket('CLOSE_WAIT').toNotRemain();
  },
});
