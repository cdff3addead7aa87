import { defineCase } from '../case.js';
import { craftedClientAndServer } from '../shared/client-and-server.js';
import { expectStrayConnection, PARAMETERS, playEarlyReset, SYN_TSVAL } from '../shared/early-reset.js';

export default defineCase({
  name: 'rst-old-timestamp-before-ack',
  group: 'handshake',
  title: 'RST with an older timestamp than the SYN overtakes the last ACK: a stray connection stays',
  description: `As rst-timestamp-zero-before-ack, but the timestamp of the RST is only a little older than that of the SYN: the clocks of a
health checker with several CPUs or machines behind one address need not agree. PAWS compares with what the request
remembers, and any older value is refused.`,
  parameters: PARAMETERS,
  requires: { modules: ['veth', 'af_packet'] },
  network: craftedClientAndServer,
  async play(context) {
    const answer = await playEarlyReset({ context, reset: { tsval: SYN_TSVAL - 1000 }, establishes: true });
    return { answer };
  },
  expectations({ expect, facts, net: { server } }) {
    expect.value('the answer to the ACK', facts.answer).toBe(undefined);
    expectStrayConnection(expect, server);
  },
});
