import { defineCase } from '../case.js';
import { clientAndServer, connectClient } from '../shared/client-and-server.js';
import { failureOf } from '../sockets.js';

const PORT = 8000;

export default defineCase({
  name: 'linger-zero',
  group: 'closing',
  title: 'SO_LINGER with time 0: close() sends RST in place of FIN',
  description: `The client has set SO_LINGER with a time of 0, as load testers and some proxies do to get rid of TIME_WAIT. Its close()
throws away what still had to be sent and sends an RST. The server's next read fails with ECONNRESET, though both
applications did nothing wrong, and data that the client had sent shortly before may be lost. No socket is left on either side, and
there is no TIME_WAIT: late segments of this connection can reach the next one with the same ports.`,
  requires: { modules: ['veth'] },
  network: clientAndServer,
  async play({ net, step }) {
    const { connection, accepted } = await connectClient({ net, step }, PORT);
    await step('the client closes, with linger 0', () => connection.abort());
    const failure = await step('the server reads', () => failureOf(accepted.receive()));
    accepted.close();
    return { failure };
  },
  expectations({ expect, facts, net: { client, server } }) {
    const reset = { flags: 'RA', dport: PORT };
    expect.value('what the server reads', facts.failure).toBe('ECONNRESET');
    expect.trace(reset).toBeSeen(1);
    expect.trace(reset).toHaveOutcome('worked');
    expect.trace(reset).toHaveCause('rst-did-its-work');
    expect.trace({ flags: 'FA' }).toNotBeSeen();
    expect.counter('TCPAbortOnData', { on: client }).toRise(1);
    expect.counter('OutRsts', { on: client }).toRise(1);
    expect.counter('EstabResets', { on: server }).toRise(1);
    expect.connection({ serverPort: PORT }).toHaveCause('connection-reset');
    expect.socket('TIME_WAIT').toNotRemain();
    expect.socket('ESTABLISHED').toNotRemain();
  },
});
