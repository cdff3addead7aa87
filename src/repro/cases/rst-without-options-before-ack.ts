import { defineCase } from '../case.js';
import { craftedClientAndServer } from '../shared/client-and-server.js';
import { expectResetWorked, PARAMETERS, playEarlyReset } from '../shared/early-reset.js';

export default defineCase({
  name: 'rst-without-options-before-ack',
  group: 'handshake',
  title: 'RST without any option overtakes the last ACK of the handshake: it ends the handshake',
  description: `As rst-before-ack, but the RST has no TCP options, as many middleboxes and raw-socket tools send it. Without a timestamp
there is nothing that PAWS could compare: only the sequence number counts, and the request is removed.`,
  parameters: PARAMETERS,
  requires: { modules: ['veth', 'af_packet'] },
  network: craftedClientAndServer,
  async play(context) {
    const answer = await playEarlyReset({ context, reset: { timestamps: false }, establishes: false });
    return { answer };
  },
  expectations({ expect, facts, net: { server } }) {
    expect.value('the answer to the ACK', facts.answer).toBe('R');
    expectResetWorked(expect, server);
  },
});
