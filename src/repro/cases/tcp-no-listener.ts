import { defineCase } from '../case.js';
import { clientAndServer } from '../shared/client-and-server.js';
import { reasonSince } from '../shared/drop-places.js';
import type { SocketError } from '../sockets.js';

export default defineCase({
  name: 'tcp-no-listener',
  group: 'path',
  title: 'A connection to a port that nobody listens on is answered with RST',
  description: `The SYN reaches tcp_v4_rcv, no socket is found for its addresses and ports, and the kernel answers
with RST and frees it. The client's connect() fails at once with ECONNREFUSED: a port without a server is told from
a firewall that drops, where connect() waits for minutes.`,
  parameters: { port: { default: 8000, text: 'port that is connected to', range: [1, 65535] } },
  requires: { modules: ['veth'] },
  network: clientAndServer,
  async play({ net: { client, server }, parameters: { port }, step }) {
    const answer = await step('the client connects', () =>
      client.connect({ address: server.address, port }).then(
        () => 'connected',
        (error: SocketError) => error.code,
      ),
    );
    return { answer };
  },
  expectations({ expect, facts, net: { server }, parameters: { port } }) {
    const syn = { flags: 'S', dport: port };
    expect.value('what connect() says', facts.answer).toBe('ECONNREFUSED');
    expect.connection({ serverPort: port }).toHaveCause('connection-refused');
    expect.trace(syn).toPass('tcp_v4_send_reset');
    expect.trace(syn).toBeDroppedAt('tcp_v4_rcv', reasonSince('5.17', 'NO_SOCKET'));
    expect.trace({ flags: 'RA', sport: port }).toBeSeen(1);
    expect.counter('TcpOutRsts', { on: server }).toRise(1);
    expect.trace(syn).toHaveCause('no-listener');
    expect.connection({ serverPort: port }).toHaveOutcome('refused');
    expect.socket('ESTABLISHED').toNotRemain();
  },
});
