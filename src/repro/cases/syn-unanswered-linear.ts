import { defineCase } from '../case.js';
import { failureOf } from '../sockets.js';

const PORT = 8000;

export default defineCase({
  name: 'syn-unanswered-linear',
  group: 'time',
  title: 'From Linux 6.5 on, the first SYNs without answer follow each other by the second',
  description: `As syn-unanswered, with what newer kernels do by default: the first timeouts leave the pause at one second, as often
as tcp_syn_linear_timeouts says (4), and only then does each pause become twice as long. They count beside tcp_syn_retries, so that the
default is ten SYNs more, at 1, 2, 3, 4, 5, 7, 11, 19, 35 and 67 seconds. A SYN that was lost once or twice so costs one or two seconds, not
one or three, and such a timeline in a capture is no odd client: it is a new kernel. Here both numbers are 1: the SYN is sent again after
1 and 2 seconds, and connect() fails two seconds later.`,
  requires: { modules: ['veth'], kernel: '>=6.5' },
  network(net) {
    const client = net.host('client', {
      sysctl: { 'net.ipv4.tcp_syn_retries': 1, 'net.ipv4.tcp_syn_linear_timeouts': 1 },
    });
    const server = net.host('server');
    net.link(client, server);
    return { client, server };
  },
  async play({ net: { client, server }, step }) {
    await step('the server vanishes', () => server.vanish());
    const start = performance.now();
    const failure = await step('the client connects, until it is told that it cannot', () =>
      failureOf(client.connect({ address: server.address, port: PORT })),
    );
    return { failure, seconds: (performance.now() - start) / 1000 };
  },
  expectations({ expect, facts, net: { client } }) {
    expect.trace({ flags: 'S', dport: PORT }).toBeSentAgain(client, { times: 2, first: [0.9, 1.9], factor: 1 });
    expect.value('what connect() says', facts.failure).toBe('ETIMEDOUT');
    expect.value('the time that this takes', facts.seconds).toBeBetween(3.8, 12, 's');
    expect.counter('TCPSynRetrans', { on: client }).toRise(2);
    expect.socket({ on: client }).toNotRemain();
  },
});
