import { defineCase } from '../case.js';
import { failureOf } from '../sockets.js';

const WITH_TIMESTAMPS = 8000;
const WITHOUT_TIMESTAMPS = 8001;
const CLIENT_PORT = 41_000;

export default defineCase({
  name: 'time-wait-own-port',
  group: 'closing',
  title:
    'The only free port is in TIME_WAIT: connect() fails, unless tcp_tw_reuse is 1 and the connection had timestamps',
  description: `The client closes first, so TIME_WAIT is on its side, and for a minute its port cannot be used for the same server again. A client
that makes many short connections, such as a proxy, runs out of ports so: connect() fails with EADDRNOTAVAIL, and no packet
is sent. net.ipv4.tcp_tw_reuse = 1 lets connect() take over such a port when the connection in TIME_WAIT is more than a second
old (tcp_tw_reuse_delay, from 6.14 on) and had timestamps, by which the server tells old segments from new ones. The default 2 does so
for loopback only. Without timestamps the port stays taken. The counter TWRecycled tells how often a port was taken over.

Here the range of local ports is one port, and two connections use it, to two ports of the server: one with timestamps, one without.`,
  requires: { modules: ['veth'] },
  network(net) {
    const client = net.host('client', {
      sysctl: { 'net.ipv4.ip_local_port_range': `${CLIENT_PORT} ${CLIENT_PORT}`, 'net.ipv4.tcp_tw_reuse': 0 },
    });
    const server = net.host('server');
    net.link(client, server);
    return { client, server };
  },
  async play({ net: { client, server }, step, until }) {
    const connect = (port: number) => client.connect({ address: server.address, port });
    const makeTimeWait = async (port: number) => {
      const listener = server.listen({ port });
      const connection = await connect(port);
      const accepted = await listener.accept();
      connection.close();
      await accepted.receive();
      accepted.close();
    };
    await step('a connection with timestamps, closed by the client first', () => makeTimeWait(WITH_TIMESTAMPS));
    await step('a connection without timestamps, closed by the client first', async () => {
      client.setSysctl({ 'net.ipv4.tcp_timestamps': 0 });
      await makeTimeWait(WITHOUT_TIMESTAMPS);
      client.setSysctl({ 'net.ipv4.tcp_timestamps': 1 });
    });
    for (const peerPort of [WITH_TIMESTAMPS, WITHOUT_TIMESTAMPS])
      await client.untilSocket({ state: 'TIME_WAIT', peerPort });
    const before = await step('the client connects again, with tcp_tw_reuse=0', () =>
      failureOf(connect(WITH_TIMESTAMPS)),
    );
    client.setSysctl({ 'net.ipv4.tcp_tw_reuse': 1 });
    const start = performance.now();
    await step('the client connects again, with tcp_tw_reuse=1, until it can', () =>
      until('the port can be used again', async () => (await failureOf(connect(WITH_TIMESTAMPS))) === undefined),
    );
    const seconds = (performance.now() - start) / 1000;
    const without = await step('the client connects again where there were no timestamps', () =>
      failureOf(connect(WITHOUT_TIMESTAMPS)),
    );
    return { before, seconds, without };
  },
  expectations({ expect, facts, net: { client, server } }) {
    expect.value('with tcp_tw_reuse=0 connect() says', facts.before).toBe('EADDRNOTAVAIL');
    expect.value('with tcp_tw_reuse=1 it says so for', facts.seconds).toBeBetween(0, 3, 's');
    expect.value('without timestamps connect() says', facts.without).toBe('EADDRNOTAVAIL');
    expect.counter('TWRecycled', { on: client }).toRise(1);
    expect.counter('ActiveOpens', { on: client }).toRise(3);
    expect.trace({ flags: 'S', dport: WITH_TIMESTAMPS }).toBeSeen(2);
    expect.trace({ flags: 'S', dport: WITHOUT_TIMESTAMPS }).toBeSeen(1);
    expect.socket({ state: 'TIME_WAIT', on: client, peerPort: WITHOUT_TIMESTAMPS }).toRemain(1);
    expect.socket({ state: 'TIME_WAIT', on: client, peerPort: WITH_TIMESTAMPS }).toNotRemain();
    expect.socket({ state: 'ESTABLISHED', on: client, localPort: CLIENT_PORT }).toRemain(1);
    expect.socket({ state: 'TIME_WAIT', on: server }).toNotRemain();
  },
});
