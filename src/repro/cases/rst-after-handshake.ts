import { defineCase } from '../case.js';
import { craftHost } from '../crafted/index.js';
import { craftedClientAndServer } from '../shared/client-and-server.js';
import { CLIENT_PORT, ISN, PARAMETERS, SYN_TSVAL } from '../shared/early-reset.js';

export default defineCase({
  name: 'rst-after-handshake',
  group: 'handshake',
  title: 'RST after a whole handshake ends the connection, and nothing is left',
  description: `A health checker opens a connection and resets it, and all segments arrive in order. The ACK makes a socket
of the request, and the RST ends it: no socket is left, no counter of trouble moves, and nothing is freed as dropped. This
is what the cases in which the RST overtakes the ACK are to be compared with.`,
  parameters: PARAMETERS,
  requires: { modules: ['veth', 'af_packet'] },
  network: craftedClientAndServer,
  async play({ net: { client, server }, parameters: { port }, step }) {
    server.listen({ port });
    const tcp = craftHost(client).tcp({ port, sourcePort: CLIENT_PORT, isn: ISN, tsval: SYN_TSVAL });
    await step('SYN, and its SYN-ACK', async () => {
      await tcp.syn();
      await tcp.synAck();
    });
    await step('the ACK', async () => {
      tcp.ack();
      await server.untilSocket({ state: 'ESTABLISHED', peerPort: CLIENT_PORT });
    });
    await step('the RST', async () => {
      tcp.rst();
      await server.untilNoSocket({ peerPort: CLIENT_PORT });
    });
  },
  expectations({ expect, net: { server } }) {
    const rst = { flags: 'R', sport: CLIENT_PORT };
    expect.trace(rst).toNotBeDropped();
    expect.trace(rst).toPass('tcp_rcv_established');
    expect.trace(rst, { needs: 'functions' }).toHaveCause('rst-did-its-work');
    expect.trace({ flags: 'A', sport: CLIENT_PORT }).toNotBeDropped();
    expect.counter('EstabResets', { on: server }).toRise(1);
    expect.counter('EmbryonicRsts', { on: server }).toStay();
    expect.counter('PAWSEstab', { on: server }).toStay();
    expect.socket({ peerPort: CLIENT_PORT }).toNotRemain();
    expect.connection({ clientPort: CLIENT_PORT }, { needs: 'functions' }).toHaveOutcome('reset');
  },
});
