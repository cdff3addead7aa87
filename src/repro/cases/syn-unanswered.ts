import { byKernel } from '../by-kernel.js';
import { defineCase } from '../case.js';
import { failureOf } from '../sockets.js';

const PORT = 8000;

export default defineCase({
  name: 'syn-unanswered',
  group: 'time',
  title: 'A SYN without answer is sent again after 1, 3, 7 ... seconds, until connect() fails with ETIMEDOUT',
  description: `The server's machine is gone: frames reach nobody, and nobody says so. TCP cannot tell that from a slow
network, so the SYN is sent again, the first time after one second (TCP_TIMEOUT_INIT), and each pause is twice as long as the
one before. tcp_syn_retries says how often; when the last pause is over, connect() fails with ETIMEDOUT. With the default of 6
that takes 127 seconds; here it is 2, so 1 + 2 + 4 = 7 seconds.

From Linux 6.5 on the first four pauses are one second each (tcp_syn_linear_timeouts), see syn-unanswered-linear; here that
is switched off. Nothing of the connection shortens the first second: neither the route's rto_min nor TCP_USER_TIMEOUT. An
application that cannot wait sets TCP_SYNCNT, or gives up by itself.`,
  parameters: { retries: { default: 2, text: 'tcp_syn_retries: how often the SYN is sent again', range: [1, 5] } },
  requires: { modules: ['veth'] },
  network(net, { parameters: { retries } }) {
    const client = net.host('client', { sysctl: { 'net.ipv4.tcp_syn_retries': retries } });
    const server = net.host('server');
    net.link(client, server);
    return { client, server };
  },
  async play({ net: { client, server }, version: [major, minor], parameters: { retries }, step }) {
    if (major > 6 || (major === 6 && minor >= 5)) client.setSysctl({ 'net.ipv4.tcp_syn_linear_timeouts': 0 });
    await step('the server vanishes', () => server.vanish());
    const start = performance.now();
    const timeoutMs = (2 ** (retries + 1) + 30) * 1000;
    const failure = await step('the client connects, until it is told that it cannot', () =>
      failureOf(client.connect({ address: server.address, port: PORT }, { timeoutMs })),
    );
    return { failure, seconds: (performance.now() - start) / 1000 };
  },
  expectations({ expect, facts, net: { client }, parameters: { retries } }) {
    const syn = { flags: 'S', dport: PORT };
    const sum = 2 ** (retries + 1) - 1;
    expect.trace(syn).toBeSentAgain(client, { times: retries, first: [0.9, 2.5] });
    expect.value('what connect() says', facts.failure).toBe('ETIMEDOUT');
    expect.value('the time that this takes', facts.seconds).toBeBetween(sum * 0.95, sum * 3, 's');
    expect.trace(syn).toBeDroppedAt('ip_rcv_core', byKernel({ '<5.18': undefined, '>=5.18': 'OTHERHOST' }));
    expect.trace(syn).toHaveCause(byKernel({ '<5.18': 'ip-input-refused', '>=5.18': 'not-for-this-mac' }));
    expect.counter('TCPSynRetrans', { on: client }).toRise(retries);
    expect.counter('TCPTimeouts', { on: client }).toRise(retries + 1);
    expect.counter('AttemptFails', { on: client }).toRise(1);
    expect.connection({ serverPort: PORT }).toHaveCause('syn-unanswered');
    expect.that(`the SYN is counted as sent ${retries + 1} times`, ({ connections }) => {
      const counts = connections.map(({ synRetransmissions }) => synRetransmissions + 1);
      return { ok: counts.length === 1 && counts[0] === retries + 1, seen: counts.join(', ') };
    });
    expect.socket({ on: client }).toNotRemain();
  },
});
