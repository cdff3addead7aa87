import { defineCase } from '../case.js';
import { clientAndServer, connectClient } from '../shared/client-and-server.js';
import { failureOf } from '../sockets.js';

const PORT = 8000;

export default defineCase({
  name: 'data-after-close',
  group: 'closing',
  title: 'The server has closed, and the client still sends: its data is answered with RST',
  description: `The server's close() sends FIN, which only says that it sends no more; for TCP the client may go on. But the
application is gone and nobody will read what comes: the socket waits in FIN_WAIT2 for the client's FIN, and when data comes
in its place, the answer is an RST. The client's first send() after the FIN succeeds, the second one fails with EPIPE, and what was
sent is lost. The usual story behind it: a server with an idle timeout, and a client that takes an old connection from its
pool at that moment.`,
  requires: { modules: ['veth'] },
  network: clientAndServer,
  async play({ net, step, until }) {
    const { connection, accepted } = await connectClient({ net, step }, PORT);
    await step('the server closes', () => accepted.close());
    const end = await step('the client reads the end of the data', () => connection.receive());
    const first = await step('the client sends 100 bytes', () => failureOf(connection.send(Buffer.alloc(100))));
    const second = await step('the client sends again', () =>
      until('sending fails', () => failureOf(connection.send('x'))),
    );
    return { bytes: end.length, first, second };
  },
  expectations({ expect, facts, net: { client, server } }) {
    const data = { dport: PORT, payload: 100 };
    const reset = { flags: 'R', sport: PORT };
    expect.value('what the client reads of it', facts.bytes).toBe(0);
    expect.value('what the first send() fails with', facts.first).toBe(undefined);
    expect.value('what a later send() fails with', facts.second).toBe('EPIPE');
    expect.trace({ flags: 'FA', sport: PORT }).toBeSeen(1);
    expect.trace(data).toHaveOutcome('rejected');
    expect.trace(reset).toBeSeen(1);
    expect.trace(reset).toHaveCause('rst-did-its-work');
    expect.counter('OutRsts', { on: server }).toRise(1);
    expect.counter('EstabResets', { on: client }).toRise(1);
    expect.socket('FIN_WAIT2').toNotRemain();
    expect.socket('CLOSE_WAIT').toNotRemain();
  },
});
