import { defineCase } from '../case.js';
import { sendingTimes } from '../sendings.js';
import { failureOf } from '../sockets.js';
import { matchesQuery } from '../trace-query.js';

const PORT = 8000;

export default defineCase({
  name: 'data-unanswered',
  group: 'time',
  title: 'Data that nobody acknowledges is sent again until tcp_retries2 gives the connection up',
  description: `The server's machine is gone after the handshake. The client's data is sent again when the retransmission timer
ends: first after the RTO, which is at least 200 ms (rto_min), and then after pauses that double. tcp_retries2 is not a number
of retransmissions: from it the kernel reckons the time that so many doublings of 200 ms would take, and gives the connection up at
the first timer that ends later: where the RTO is larger, after fewer of them. With the default of 15 that is 924 seconds: a quarter of
an hour in which send() still succeeds and nothing says that the peer is gone. Here it is 2: 1.4 seconds after the first
retransmission the connection may be given up, which the timer after the third one does, at the latest. The application reads ETIMEDOUT, and nothing is sent to the peer.

Tail loss probes are switched off (tcp_early_retrans) so that all that is sent again is the timer's.`,
  parameters: { retries: { default: 2, text: 'tcp_retries2', range: [1, 6] } },
  requires: { modules: ['veth'] },
  network(net, { parameters: { retries } }) {
    const client = net.host('client', {
      sysctl: { 'net.ipv4.tcp_retries2': retries, 'net.ipv4.tcp_early_retrans': 0 },
    });
    const server = net.host('server');
    net.link(client, server);
    return { client, server };
  },
  async play({ net: { client, server }, step }) {
    const listener = server.listen({ port: PORT });
    const connection = await step('the client connects', () => client.connect({ address: server.address, port: PORT }));
    await listener.accept();
    await step('the server vanishes', () => server.vanish());
    const start = performance.now();
    await step('the client sends 100 bytes', () => connection.send(Buffer.alloc(100)));
    const failure = await step('the client waits for an answer, until it is told that there will be none', () =>
      failureOf(connection.receive()),
    );
    return { failure, seconds: (performance.now() - start) / 1000 };
  },
  expectations({ expect, facts, net: { client, server }, parameters: { retries } }) {
    const data = { dport: PORT, payload: 100 };
    // the slower the handshake was, the larger is the RTO, and the sooner is the time over
    expect.trace(data).toBeSentAgain(client, { times: [1, retries + 1], first: [0.15, 2] });
    expect.value('what the client reads', facts.failure).toBe('ETIMEDOUT');
    expect.value('the time that this takes', facts.seconds).toBeBetween(1, 15, 's');
    expect.trace({ flags: 'RA', dport: PORT }).toNotBeSeen();
    expect.that('RetransSegs counts each time, and TCPTimeouts one more', ({ traces, counter }) => {
      const times =
        sendingTimes(
          traces.filter((trace) => matchesQuery(trace, data)),
          client.inode,
        ).length - 1;
      const [sent, ended] = [counter('RetransSegs', client.name), counter('TCPTimeouts', client.name)];
      return {
        ok: sent === times && ended === times + 1,
        seen: `${times} times, RetransSegs ${sent}, TCPTimeouts ${ended}`,
      };
    });
    expect.counter('TCPAbortOnTimeout', { on: client }).toRise(1);
    expect.connection({ serverPort: PORT }).toHaveCause('retransmission-timeout');
    expect.socket({ on: client }).toNotRemain();
    expect.socket({ state: 'ESTABLISHED', on: server }).toRemain(1);
  },
});
