import { defineCase } from '../case.js';
import { clientAndServer, connectClient } from '../shared/client-and-server.js';

const PORT = 8000;

export default defineCase({
  name: 'half-open-client-vanished',
  group: 'closing',
  title: 'The client is gone without FIN: the server keeps an ESTABLISHED socket for ever',
  description: `The client's machine lost power, or a NAT device in between forgot the connection. No FIN and no RST is sent, so the server's
socket stays ESTABLISHED. As long as the server has nothing to send, nothing will ever end it: it holds its memory, its file descriptor,
and perhaps a worker. There is nothing to be seen in a capture: not one packet follows the handshake. What helps is keepalive (see
keepalive-dead-peer), or an idle timeout of the application.`,
  requires: { modules: ['veth'] },
  network: clientAndServer,
  async play({ net, step }) {
    const { connection, accepted } = await connectClient({ net, step }, PORT);
    await step('the client loses its socket, without a word', () => connection.lose());
    const heard = await step('the server listens for one second', () => accepted.socket.wait('read', 1000));
    return { heard };
  },
  expectations({ expect, facts, net: { client, server } }) {
    expect.value('something came to the server', facts.heard).toBe(false);
    expect.connection({ serverPort: PORT }).toHaveCause('one-side-vanished');
    expect.socket({ state: 'ESTABLISHED', on: server }).toRemain(1);
    expect.socket({ on: client }).toNotRemain();
    expect.trace({ proto: 'tcp', flags: 'S' }).toBeSeen(1);
    expect.trace({ proto: 'tcp', flags: 'SA' }).toBeSeen(1);
    expect.trace({ proto: 'tcp', flags: 'A' }).toBeSeen(1);
    expect.trace({ proto: 'tcp' }).toBeSeen(3);
    expect.counter('CurrEstab', { on: server }).toRise(1);
    expect.counter('CurrEstab', { on: client }).toStay();
    expect.counter('EstabResets', { on: server }).toStay();
  },
});
