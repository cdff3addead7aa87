import { byKernel } from '../by-kernel.js';
import { defineCase } from '../case.js';
import { clientAndServer } from '../shared/client-and-server.js';
import { failureOf } from '../sockets.js';

const PORT = 8000;

export default defineCase({
  name: 'half-open-server-lost',
  group: 'closing',
  title:
    'The server was restarted and knows nothing of the connection: the next data of the client is answered with RST',
  description: `A connection is two sockets, and one of them is gone: the server's machine lost power and is up again, or a
load balancer sends the segments to another one. Nothing has told the client, whose socket is ESTABLISHED as before. Its next data
finds no connection on the server (the listener is there again, but data makes no connection), and is answered with RST: the
client reads ECONNRESET. In a capture: an RST without anything before it, with the sequence number that the data's ACK asked for.`,
  requires: { modules: ['veth'] },
  network: clientAndServer,
  async play({ net: { client, server }, step }) {
    const listener = server.listen({ port: PORT });
    const connection = await step('the client connects', () => client.connect({ address: server.address, port: PORT }));
    const accepted = await listener.accept();
    await step('the server loses its socket, without a word', () => accepted.lose());
    await step('the client sends 100 bytes', () => connection.send(Buffer.alloc(100)));
    const failure = await step('the client reads', () => failureOf(connection.receive()));
    return { failure };
  },
  expectations({ expect, facts, net: { client, server } }) {
    const data = { dport: PORT, payload: 100 };
    const reset = { flags: 'R', sport: PORT };
    expect.value('what the client reads', facts.failure).toBe('ECONNRESET');
    expect.trace(data).toPass('tcp_v4_send_reset');
    expect
      .trace(data)
      .toBeDroppedAt(
        'tcp_v4_do_rcv',
        byKernel({ '<5.17': undefined, '5.17-6.8': 'NOT_SPECIFIED', '>=6.9': 'TCP_FLAGS' }),
      );
    expect.trace(data).toHaveOutcome('rejected');
    expect.trace(reset).toBeSeen(1);
    expect.trace(reset).toHaveCause('rst-did-its-work');
    expect.trace({ flags: 'FA' }).toNotBeSeen();
    expect.counter('OutRsts', { on: server }).toRise(1);
    expect.counter('EstabResets', { on: client }).toRise(1);
    expect.socket('ESTABLISHED').toNotRemain();
    expect.socket({ state: 'LISTEN', on: server }).toRemain(1);
  },
});
