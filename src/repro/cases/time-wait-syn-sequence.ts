import { byKernel } from '../by-kernel.js';
import { defineCase } from '../case.js';
import { closeServerFirst, connectWithSequence, FIRST_SEQ, NEWER, OLDER } from '../shared/time-wait.js';

const PORT = 8000;

export default defineCase({
  name: 'time-wait-syn-sequence',
  group: 'closing',
  title: 'A SYN with the ports of a connection in TIME_WAIT: without timestamps its sequence number decides',
  description: `The server closed first and keeps the connection in TIME_WAIT. The client, whose side is free, takes the same port again. For
the server the SYN could be a late one of the old connection. Without timestamps the sequence number tells: if it is beyond all that the old
connection had, the SYN is new, TIME_WAIT ends and the connection is made (tcp_timewait_state_process). If it is not, the SYN is answered
with the last ACK of the old connection. The client has not asked for that ACK and answers it with RST, the RST ends TIME_WAIT, and
the client's SYN, which is sent again at once (two jiffies later, not after the usual second), finds the listener. In a capture that is
SYN, ACK, RST, SYN, SYN-ACK. A firewall that drops the odd ACK or RST turns it into seconds. Initial sequence numbers grow with the time,
but they wrap around, and behind NAT or a load balancer several hosts share one address.

Here the client's sockets get their first sequence numbers by TCP_REPAIR.`,
  requires: { modules: ['veth'] },
  network(net) {
    const client = net.host('client', { sysctl: { 'net.ipv4.tcp_timestamps': 0 } });
    const server = net.host('server');
    net.link(client, server);
    return { client, server };
  },
  async play({ net: { client, server }, step }) {
    const listener = server.listen({ port: PORT });
    const connect = (port: number, seq: number) => connectWithSequence(client, listener, port, seq);
    await step('two connections, closed by the server first', async () => {
      await closeServerFirst(await connect(NEWER, FIRST_SEQ));
      await closeServerFirst(await connect(OLDER, FIRST_SEQ));
      for (const peerPort of [NEWER, OLDER]) await server.untilSocket({ state: 'TIME_WAIT', peerPort });
      await client.untilNoSocket({});
    });
    await step('the client connects again, with a larger sequence number', () => connect(NEWER, 2 * FIRST_SEQ));
    await step('the client connects again, with a smaller sequence number', () => connect(OLDER, FIRST_SEQ / 2));
  },
  expectations({ expect, net: { client, server } }) {
    const syn = { flags: 'S', sport: OLDER, seq: FIRST_SEQ / 2 };
    expect.trace({ flags: 'S', sport: NEWER, seq: 2 * FIRST_SEQ }).toBeSentAgain(client, { times: 0, first: [0, 0] });
    expect.trace(syn).toBeSentAgain(client, { times: 1, first: [0.001, 0.5] });
    expect.trace(syn).toBeDroppedAt('tcp_v4_rcv', byKernel({ '<5.18': undefined, '>=5.18': 'NOT_SPECIFIED' }));
    expect.trace({ flags: 'A', dport: OLDER, ack: FIRST_SEQ + 2 }).toHaveOutcome('rejected');
    expect.trace({ flags: 'R', sport: OLDER }).toBeSeen(1);
    expect.trace({ flags: 'R', sport: OLDER }).toHaveOutcome('worked');
    expect.counter('TCPSynRetrans', { on: client }).toRise(1);
    expect.counter('OutRsts', { on: client }).toRise(1);
    expect.counter('PassiveOpens', { on: server }).toRise(4);
    expect.socket({ state: 'ESTABLISHED', on: server }).toRemain(2);
    expect.socket('TIME_WAIT').toNotRemain();
    expect.connection({ clientPort: OLDER }).toHaveCause('connection-open');
  },
});
