import { byKernel } from '../by-kernel.js';
import { defineCase } from '../case.js';
import { clientAndServer } from '../shared/client-and-server.js';
import { failureOf } from '../sockets.js';

const PORT = 8000;

export default defineCase({
  name: 'keepalive-dead-peer',
  group: 'time',
  title: 'Keepalive finds out that the peer of a silent connection is gone',
  description: `Nothing is sent on the connection, so nothing would ever tell that the other machine is gone: the socket would stay
ESTABLISHED for ever. With SO_KEEPALIVE the kernel asks: after TCP_KEEPIDLE seconds of silence (7200 by default) it sends an
empty segment whose sequence number is one too low, which every living peer answers with an ACK. Without an answer it asks again each
TCP_KEEPINTVL seconds (75), and after TCP_KEEPCNT (9) questions it gives up: the application reads ETIMEDOUT, and an RST is sent for the case
that the peer lives. Here all that is 1, 1 and 2, so 3 seconds in place of more than two hours.`,
  parameters: { probes: { default: 2, text: 'TCP_KEEPCNT: questions without answer', range: [1, 10] } },
  requires: { modules: ['veth'] },
  network: clientAndServer,
  async play({ net: { client, server }, parameters: { probes }, step }) {
    const listener = server.listen({ port: PORT });
    const connection = await step('the client connects', () => client.connect({ address: server.address, port: PORT }));
    const start = performance.now();
    await listener.accept();
    await step('the server vanishes', () => server.vanish());
    await step('the client switches keepalive on', () =>
      connection.setOptions({ keepIdle: 1, keepInterval: 1, keepCount: probes, keepAlive: 1 }),
    );
    const failure = await step('the client reads, until it is told that the server is gone', () =>
      failureOf(connection.receive()),
    );
    return { failure, seconds: (performance.now() - start) / 1000 };
  },
  expectations({ expect, facts, net: { client, server }, parameters: { probes } }) {
    // the ACK of the handshake comes first, and a second later the first question
    const empty = { flags: 'A', dport: PORT, payload: 0 };
    const reset = { flags: 'RA', dport: PORT };
    expect.trace(empty).toBeSentAgain(client, { times: probes, first: [0.8, 10], factor: 1 });
    expect.value('what the client reads', facts.failure).toBe('ETIMEDOUT');
    expect.value('the time that this takes', facts.seconds).toBeBetween(0.95 * (probes + 1), 5 * (probes + 1), 's');
    expect.trace(reset).toBeSeen(1);
    expect.trace(reset).toHaveCause(byKernel({ '<5.18': 'ip-input-refused', '>=5.18': 'not-for-this-mac' }));
    expect.counter('TCPKeepAlive', { on: client }).toRise(probes);
    expect.counter('TCPAbortOnTimeout', { on: client }).toRise(1);
    expect.connection({ serverPort: PORT }).toHaveCause('keepalive-timeout');
    expect.socket({ on: client }).toNotRemain();
    expect.socket({ state: 'ESTABLISHED', on: server }).toRemain(1);
  },
});
