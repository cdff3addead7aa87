import { byKernel, isInRange } from '../by-kernel.js';
import { defineCase } from '../case.js';
import { networkWithWaitingAddress, overtakenHandshake, SILENT_ADDRESS } from '../shared/listen-queues.js';

export default defineCase({
  name: 'accept-queue-full-at-ack',
  group: 'queues',
  title: 'The accept queue is full at the last ACK: the client has a connection that the server does not have',
  description: `The SYN came while there was room in the accept queue, the SYN-ACK was sent, and for the client the
connection stands. But other handshakes end first, and when this one's ACK comes the queue is full: the kernel throws the
ACK away and keeps the request (SYN_RECV). The client's data is thrown away too, as it would need a socket; the client
sends it again and again, and the server sends its SYN-ACK again, as if no ACK had come. connect() said that all is well,
ss shows ESTABLISHED at the client and nothing but SYN_RECV at the server, and each refused segment counts in
ListenOverflows and ListenDrops. As soon as accept() makes room, the next segment makes the connection; if that takes too
long the request ends (tcp_synack_retries), and the client's data is answered with RST. Here the
SYN-ACK waits until the server knows the client's hardware address, so that the others are certainly first.`,
  parameters: {
    port: { default: 8000, text: 'port of the listener', range: [1, 65535] },
    backlog: { default: 2, text: 'what listen() asks for', unit: 'connections', range: [2, 100] },
  },
  requires: { modules: ['veth'] },
  network(net) {
    // a retransmission of the data would be refused as well, and be counted
    const ip = ['route change 10.0.0.0/24 dev eth0 src 10.0.0.1 rto_min 5s'];
    return networkWithWaitingAddress(net, { ip }, {});
  },
  async play(context) {
    const { net, step, until } = context;
    const client = await (await overtakenHandshake(context)).done;
    await step('the client, which believes in the connection, sends data', async () => {
      const before = net.server.counter('ListenOverflows');
      await client.send('hello');
      await until('the data is counted', () => net.server.counter('ListenOverflows') > before);
    });
    await step('the server sends its SYN-ACK again, and the client acknowledges it again', () =>
      until('the SYN-ACK comes again', () => net.client.counter('TCPSYNChallenge') > 0),
    );
    return {};
  },
  expectations({ expect, net: { client, server }, parameters: { port, backlog }, version }) {
    // newer kernels' drops say it too
    const seen = isInRange(version, '>=6.15') ? {} : ({ needs: 'functions' } as const);
    const ack = { flags: 'A', sport: 41000, dport: port, payload: 0 };
    const data = { flags: 'AP', sport: 41000, dport: port, payload: 5 };
    const reason = byKernel({ '<5.17': undefined, '<6.15': 'NOT_SPECIFIED', else: 'TCP_LISTEN_OVERFLOW' });
    for (const segment of [ack, data]) {
      expect.trace(segment).toPass('tcp_v4_syn_recv_sock', { note: 'no socket is made for the handshake' });
      expect.trace(segment).toBeDroppedAt('tcp_v4_rcv', reason);
      expect.trace(segment, seen).toHaveOutcome('dropped');
      expect.trace(segment, seen).toHaveCause('accept-queue-full');
    }
    expect.that('the SYN-ACK is sent again after about a second', ({ traces }) => {
      // with tracepoints alone both may be one trace: they are alike, and may have had the same address
      const times = traces
        .filter(({ tuple }) => tuple?.dport === 41000)
        .flatMap(({ events }) => events.filter(({ tcp }) => tcp?.flags === 'SA').map(({ t }) => t))
        .sort((one, other) => one - other);
      const pauses = times.slice(1).map((time, i) => time - (times[i] ?? 0));
      const longest = Math.max(0, ...pauses);
      return {
        ok: pauses.some((pause) => pause > 0.5 && pause < 2),
        seen: `the longest pause is ${longest.toFixed(3)} s`,
      };
    });
    // a slow machine may see the next SYN-ACK, after two more seconds, and its ACK
    for (const name of ['ListenOverflows', 'ListenDrops']) {
      expect.counter(name, { on: server }).toRiseAtLeast(3);
      expect.that(`${name} rises by one for each segment that is dropped at tcp_v4_rcv`, ({ traces, counter }) => {
        const dropped = traces.filter(({ events }) =>
          events.some(({ drop }) => drop?.location.startsWith('tcp_v4_rcv')),
        );
        const risen = counter(name, server.name);
        return { ok: dropped.length === risen, seen: `${dropped.length} are dropped, it rose by ${risen}` };
      });
    }
    expect.counter('TCPSynRetrans', { on: server }).toRiseAtLeast(1);
    expect.counter('TCPSYNChallenge', { on: client }).toRiseAtLeast(1);
    expect.counter('TcpOutRsts').toStay();
    expect.connection({ client: SILENT_ADDRESS, clientPort: 41000 }, seen).toHaveOutcome('half-open');
    expect.connection({ client: SILENT_ADDRESS, clientPort: 41000 }, seen).toHaveCause('server-has-no-connection');
    expect.socket({ state: 'ESTABLISHED', on: client, localPort: 41000 }).toRemain(1);
    expect.socket({ state: 'SYN_RECV', on: server, peerPort: 41000 }).toRemain(1);
    expect.socket({ state: 'ESTABLISHED', on: server, peerPort: 41000 }).toNotRemain();
    expect.socket({ state: 'ESTABLISHED', on: server }).toRemain(backlog + 1);
  },
});
