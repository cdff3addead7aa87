import { defineCase } from '../case.js';
import { craftedClientAndServer } from '../shared/client-and-server.js';
import { expectResetWorked, PARAMETERS, playEarlyReset } from '../shared/early-reset.js';

export default defineCase({
  name: 'rst-options-no-timestamp-before-ack',
  group: 'handshake',
  title: 'RST with options but without timestamp overtakes the last ACK: it ends the handshake',
  description: `As rst-without-options-before-ack, but the RST has options (two NOPs and SACK-permitted) of which none is a timestamp. That a
segment has options makes no difference: tcp_check_req asks PAWS only where a timestamp was found.`,
  parameters: PARAMETERS,
  requires: { modules: ['veth', 'af_packet'] },
  network: craftedClientAndServer,
  async play(context) {
    const answer = await playEarlyReset({
      context,
      reset: { options: [{ kind: 'nop' }, { kind: 'nop' }, { kind: 'sack-permitted' }] },
      establishes: false,
    });
    return { answer };
  },
  expectations({ expect, facts, net: { server } }) {
    expect.value('the answer to the ACK', facts.answer).toBe('R');
    expectResetWorked(expect, server);
  },
});
