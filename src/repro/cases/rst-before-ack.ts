import { defineCase } from '../case.js';
import { craftedClientAndServer } from '../shared/client-and-server.js';
import { expectResetWorked, PARAMETERS, playEarlyReset, SYN_TSVAL } from '../shared/early-reset.js';

export default defineCase({
  name: 'rst-before-ack',
  group: 'handshake',
  title: 'RST with the timestamp of the SYN overtakes the last ACK of the handshake: it ends the handshake',
  description: `A health checker opens a connection and resets it at once, and its RST arrives before the ACK of its handshake. The
server has no socket yet, only a request (TCP_NEW_SYN_RECV), and the RST goes through tcp_check_req. Its timestamp is as new as
the one that the request remembers (ts_recent, from the SYN), so PAWS lets it pass: the request is removed. The ACK then finds
nobody and is answered with RST. The kernel frees the RST as if it were dropped, at the same place as one that it refuses.`,
  parameters: PARAMETERS,
  requires: { modules: ['veth', 'af_packet'] },
  network: craftedClientAndServer,
  async play(context) {
    const answer = await playEarlyReset({ context, reset: { tsval: SYN_TSVAL }, establishes: false });
    return { answer };
  },
  expectations({ expect, facts, net: { server } }) {
    expect.value('the answer to the ACK', facts.answer).toBe('R');
    expectResetWorked(expect, server);
  },
});
