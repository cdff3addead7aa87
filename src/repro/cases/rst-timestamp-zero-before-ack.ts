import { defineCase } from '../case.js';
import { craftedClientAndServer } from '../shared/client-and-server.js';
import { expectStrayConnection, PARAMETERS, playEarlyReset } from '../shared/early-reset.js';

export default defineCase({
  name: 'rst-timestamp-zero-before-ack',
  group: 'handshake',
  title: 'RST with timestamp 0 overtakes the last ACK: it is refused, and a stray connection stays',
  description: `As rst-before-ack, but the RST carries a timestamp of 0, as some load balancers send it. That is older than the
timestamp of the SYN, which the request remembers: PAWS refuses the RST (PAWSEstab), the request stays, and the ACK makes a
connection of it. The client has given it up and never says another word: the server has an ESTABLISHED socket in its
accept queue that only the application, keepalive or a time limit ends. Mend the sender: an RST has to carry a
timestamp that grows, or none.`,
  parameters: PARAMETERS,
  requires: { modules: ['veth', 'af_packet'] },
  network: craftedClientAndServer,
  async play(context) {
    const answer = await playEarlyReset({ context, reset: { tsval: 0 }, establishes: true });
    return { answer };
  },
  expectations({ expect, facts, net: { server } }) {
    expect.value('the answer to the ACK', facts.answer).toBe(undefined);
    expectStrayConnection(expect, server);
  },
});
