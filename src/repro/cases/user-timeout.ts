import { defineCase } from '../case.js';
import { clientAndServer } from '../shared/client-and-server.js';
import { failureOf } from '../sockets.js';

const PORT = 8000;

export default defineCase({
  name: 'user-timeout',
  group: 'time',
  title: 'TCP_USER_TIMEOUT gives a connection up whose data nobody acknowledges, in place of tcp_retries2',
  description: `As data-unanswered, but the application has said how long it wants to wait: TCP_USER_TIMEOUT on the socket,
one second here. It overrides tcp_retries2, for this socket alone: the first retransmission timer that ends
after that time ends the connection. The application reads ETIMEDOUT. It is what health checks,
brokers and databases set so that a dead peer costs seconds and not a quarter of an hour.`,
  parameters: { timeout: { default: 1000, text: 'TCP_USER_TIMEOUT', unit: 'ms', range: [500, 20_000] } },
  requires: { modules: ['veth'] },
  network: clientAndServer,
  async play({ net: { client, server }, parameters: { timeout }, step }) {
    const listener = server.listen({ port: PORT });
    const connection = await step('the client connects', () =>
      client.connect({ address: server.address, port: PORT }, { options: { userTimeout: timeout } }),
    );
    await listener.accept();
    await step('the server vanishes', () => server.vanish());
    const start = performance.now();
    await step('the client sends 100 bytes', () => connection.send(Buffer.alloc(100)));
    const failure = await step('the client waits for an answer, until it is told that there will be none', () =>
      failureOf(connection.receive()),
    );
    return { failure, seconds: (performance.now() - start) / 1000 };
  },
  expectations({ expect, facts, net: { client }, parameters: { timeout } }) {
    const seconds = timeout / 1000;
    expect.value('what the client reads', facts.failure).toBe('ETIMEDOUT');
    expect.value('the time that this takes', facts.seconds).toBeBetween(seconds * 0.95, seconds * 3 + 2, 's');
    expect.trace({ dport: PORT, payload: 100 }).toBeSeen();
    expect.counter('RetransSegs', { on: client }).toRiseAtLeast(1);
    expect.counter('TCPAbortOnTimeout', { on: client }).toRise(1);
    expect.connection({ serverPort: PORT }).toHaveCause('retransmission-timeout');
    expect.socket({ on: client }).toNotRemain();
  },
});
