import { defineCase } from '../case.js';
import { craftHost } from '../crafted/index.js';
import { craftedClientAndServer } from '../shared/client-and-server.js';
import { CLIENT_PORT, ISN, PARAMETERS, SYN_TSVAL } from '../shared/early-reset.js';

export default defineCase({
  name: 'rst-old-timestamp-established',
  group: 'handshake',
  title: 'RST with an old timestamp on an established connection is taken: only its sequence number counts',
  description: `The same RST that PAWS refuses during the handshake (timestamp 0) comes when the connection stands. There
tcp_validate_incoming lets an RST pass that fails PAWS, as RFC 7323 section 5.2 has it, and looks at the sequence number alone: it is
the next one that is expected, and the connection is reset. So the same sender leaves stray connections behind only when its
RST overtakes the ACK, which is why such connections come now and then.`,
  parameters: PARAMETERS,
  requires: { modules: ['veth', 'af_packet'] },
  network: craftedClientAndServer,
  async play({ net: { client, server }, parameters: { port }, step }) {
    server.listen({ port });
    const tcp = craftHost(client).tcp({ port, sourcePort: CLIENT_PORT, isn: ISN, tsval: SYN_TSVAL });
    await step('the handshake', async () => {
      await tcp.syn();
      await tcp.synAck();
      tcp.ack();
      await server.untilSocket({ state: 'ESTABLISHED', peerPort: CLIENT_PORT });
    });
    await step('the RST with timestamp 0', async () => {
      tcp.rst({ tsval: 0 });
      await server.untilNoSocket({ peerPort: CLIENT_PORT });
    });
  },
  expectations({ expect, net: { server } }) {
    const rst = { flags: 'R', sport: CLIENT_PORT, tsval: 0 };
    expect.trace(rst).toNotBeDropped();
    expect.trace(rst).toPass('tcp_rcv_established');
    expect.trace(rst).toPass('tcp_validate_incoming', { socket: { tsRecent: SYN_TSVAL + 1 } });
    expect.trace(rst, { needs: 'functions' }).toHaveCause('rst-did-its-work');
    expect.counter('EstabResets', { on: server }).toRise(1);
    expect.counter('PAWSEstab', { on: server }).toStay();
    expect.socket({ peerPort: CLIENT_PORT }).toNotRemain();
  },
});
