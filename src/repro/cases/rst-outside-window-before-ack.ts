import { byKernel } from '../by-kernel.js';
import { defineCase } from '../case.js';
import { craftedClientAndServer } from '../shared/client-and-server.js';
import { CLIENT_PORT, PARAMETERS, playEarlyReset, SYN_TSVAL } from '../shared/early-reset.js';

const FAR = 1_000_000;

export default defineCase({
  name: 'rst-outside-window-before-ack',
  group: 'handshake',
  title: 'RST with a sequence number outside the window overtakes the last ACK: it is ignored',
  description: `As rst-before-ack, but the sequence number of the RST is far outside the receive window of the request, as
of an RST that somebody guesses, or of one of an earlier connection with the same ports. tcp_check_req refuses it before it
looks at the RST flag, without an answer (anybody could have sent it), and the ACK makes the connection. The socket that is
left behind looks like that of rst-timestamp-zero-before-ack, but PAWSEstab does not move. And nothing says that the client has
given the connection up: a forged RST and a client that goes on look the same, so it is not called a stray one.`,
  parameters: PARAMETERS,
  requires: { modules: ['veth', 'af_packet'] },
  network: craftedClientAndServer,
  async play(context) {
    const reset = { tsval: SYN_TSVAL, seq: FAR };
    return { answer: await playEarlyReset({ context, reset, establishes: true }) };
  },
  expectations({ expect, facts, net: { server } }) {
    const rst = { flags: 'R', sport: CLIENT_PORT, seq: FAR };
    expect.value('the answer to the ACK', facts.answer).toBe(undefined);
    expect
      .trace(rst)
      .toBeDroppedAt('tcp_v4_rcv', byKernel({ '<5.17': undefined, '<6.15': 'NOT_SPECIFIED', else: 'TCP_OVERWINDOW' }));
    expect.trace(rst).toPass('tcp_check_req', { socket: { requestLeft: true } });
    expect.trace(rst, { needs: 'functions' }).toHaveCause('rst-outside-window');
    expect.trace({ flags: 'A', sport: CLIENT_PORT }).toNotBeDropped();
    expect.counter('PAWSEstab', { on: server }).toStay();
    expect.counter('EmbryonicRsts', { on: server }).toStay();
    expect.connection({ clientPort: CLIENT_PORT }).toHaveCause('connection-open');
    expect.socket({ state: 'ESTABLISHED', on: server, peerPort: CLIENT_PORT }).toRemain(1);
  },
});
