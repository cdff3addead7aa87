import { defineCase } from '../case.js';
import { clientAndServer, connectClient } from '../shared/client-and-server.js';
import { failureOf } from '../sockets.js';

const PORT = 8000;

export default defineCase({
  name: 'close-with-unread-data',
  group: 'closing',
  title: 'close() with data that was not read sends RST in place of FIN',
  description: `The server closes while data of the client lies unread in its receive queue, as a web server does that answers
an upload with an error without reading it. A FIN would claim that all is well, so the kernel sends an RST at once (RFC 2525, 2.17). It
reaches the client's socket and takes with it what the client had not read yet: the server's answer may be lost, and the client
sees ECONNRESET in place of the error message. A server avoids it with shutdown() for sending, reading to the end, and then close().`,
  requires: { modules: ['veth'] },
  network: clientAndServer,
  async play({ net, step }) {
    const { connection, accepted } = await connectClient({ net, step }, PORT);
    await step('the client sends 100 bytes, which the server does not read', async () => {
      await connection.send(Buffer.alloc(100));
      await accepted.socket.wait('read', 30_000);
    });
    await step('the server closes', () => accepted.close());
    const failure = await step('the client reads', () => failureOf(connection.receive()));
    return { failure };
  },
  expectations({ expect, facts, net: { client, server } }) {
    const reset = { flags: 'RA', sport: PORT };
    expect.value('what the client reads', facts.failure).toBe('ECONNRESET');
    expect.trace({ dport: PORT, payload: 100 }).toHaveOutcome('delivered');
    expect.trace(reset).toBeSeen(1);
    expect.trace(reset).toHaveCause('rst-did-its-work');
    expect.trace({ flags: 'FA' }).toNotBeSeen();
    expect.counter('TCPAbortOnClose', { on: server }).toRise(1);
    expect.counter('OutRsts', { on: server }).toRise(1);
    expect.counter('EstabResets', { on: client }).toRise(1);
    expect.connection({ serverPort: PORT }).toHaveCause('connection-reset');
    expect.socket('ESTABLISHED').toNotRemain();
    expect.socket('TIME_WAIT').toNotRemain();
  },
});
