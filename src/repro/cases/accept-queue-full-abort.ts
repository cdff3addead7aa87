import { byKernel, isInRange } from '../by-kernel.js';
import { defineCase } from '../case.js';
import { networkWithWaitingAddress, overtakenHandshake } from '../shared/listen-queues.js';
import type { SocketError } from '../sockets.js';

export default defineCase({
  name: 'accept-queue-full-abort',
  group: 'queues',
  title: 'The accept queue is full at the last ACK, and tcp_abort_on_overflow is 1: the answer is RST',
  description: `As in accept-queue-full-at-ack the queue has filled while the handshake was under way. With
net.ipv4.tcp_abort_on_overflow=1 the kernel does not keep the request: it answers the ACK (or the data) with RST, and
EmbryonicRsts counts it besides ListenOverflows and ListenDrops. The client, for which the connection stood already, gets
ECONNRESET, from connect() or from its next call. That is honest, but a burst that would have been over in a moment now costs connections;
clients that do not try again see errors.`,
  parameters: {
    port: { default: 8000, text: 'port of the listener', range: [1, 65535] },
    backlog: { default: 2, text: 'what listen() asks for', unit: 'connections', range: [2, 100] },
  },
  requires: { modules: ['veth'] },
  network(net) {
    return networkWithWaitingAddress(net, {}, { sysctl: { 'net.ipv4.tcp_abort_on_overflow': 1 } });
  },
  async play(context) {
    const { step } = context;
    const { done } = await overtakenHandshake(context);
    const answer = await step('the client waits for what the server sends', () =>
      done
        .then((client) => client.receive())
        .then(
          (data) => `${data.length} bytes`,
          (error: SocketError) => error.code,
        ),
    );
    return { answer };
  },
  expectations({ expect, facts, net: { client, server }, parameters: { port, backlog }, version }) {
    // newer kernels' drops say it too
    const seen = isInRange(version, '>=6.15') ? {} : ({ needs: 'functions' } as const);
    const ack = { flags: 'A', sport: 41000, dport: port };
    expect.value('what the client gets', facts.answer).toBe('ECONNRESET');
    expect.trace(ack).toPass('tcp_v4_syn_recv_sock', { note: 'no socket is made for the handshake' });
    expect.trace(ack).toPass('tcp_v4_send_reset');
    expect
      .trace(ack)
      .toBeDroppedAt(
        'tcp_v4_rcv',
        byKernel({ '<5.17': undefined, '<6.15': 'NOT_SPECIFIED', else: 'TCP_LISTEN_OVERFLOW' }),
      );
    expect.trace(ack, seen).toHaveOutcome('rejected');
    expect.trace(ack, seen).toHaveCause('accept-queue-full');
    expect.trace({ flags: 'R', sport: port, dport: 41000 }).toHaveCause('rst-did-its-work');
    expect.connection({ clientPort: 41000 }).toHaveCause('connection-reset');
    expect.counter('ListenOverflows', { on: server }).toRise(1);
    expect.counter('ListenDrops', { on: server }).toRise(1);
    expect.counter('EmbryonicRsts', { on: server }).toRise(1);
    expect.counter('TcpOutRsts', { on: server }).toRise(1);
    expect.socket({ on: server, peerPort: 41000 }).toNotRemain();
    expect.socket({ state: 'ESTABLISHED', on: client, localPort: 41000 }).toNotRemain();
    expect.socket({ state: 'ESTABLISHED', on: server }).toRemain(backlog + 1);
  },
});
