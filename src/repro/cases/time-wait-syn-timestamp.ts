import { byKernel } from '../by-kernel.js';
import { defineCase } from '../case.js';
import { clientAndServer } from '../shared/client-and-server.js';
import { advanceTimestamps, timestampClock } from '../shared/tcp-repair.js';
import { closeServerFirst, connectWithSequence, FIRST_SEQ, NEWER, OLDER } from '../shared/time-wait.js';

const PORT = 8000;
const AHEAD_MS = 100_000;

export default defineCase({
  name: 'time-wait-syn-timestamp',
  group: 'closing',
  title: 'A SYN with the ports of a connection in TIME_WAIT: with timestamps these decide, not the sequence number',
  description: `As time-wait-syn-sequence, but with TCP timestamps, which is what nearly all connections have. A SYN whose timestamp is newer than
the last one of the old connection is new, whatever its sequence number is: the connection is made at once. One whose timestamp is older is
refused by PAWS, whatever its sequence number is, and answered with the last ACK of the old connection; the client's RST against that ACK
ends TIME_WAIT, and the SYN, which is sent again at once, finds the listener.

Timestamps go backwards where several hosts share one address (NAT, load balancers), each with a clock of its own: the first host's
connection is in TIME_WAIT, and the second host gets the same port. Here the client's first connection has a clock that is 100 seconds
ahead (TCP_REPAIR).`,
  requires: { modules: ['veth'] },
  network: clientAndServer,
  async play({ net: { client, server }, step, until }) {
    const listener = server.listen({ port: PORT });
    const connect = (port: number, seq: number) => connectWithSequence(client, listener, port, seq);
    await step('two connections, closed by the server first; one has a clock that is ahead', async () => {
      await closeServerFirst(await connect(NEWER, FIRST_SEQ));
      const ahead = await connect(OLDER, FIRST_SEQ);
      advanceTimestamps(ahead.connection, AHEAD_MS);
      await ahead.connection.send('x');
      await ahead.accepted.receive();
      await closeServerFirst(ahead);
      for (const peerPort of [NEWER, OLDER]) await server.untilSocket({ state: 'TIME_WAIT', peerPort });
      await client.untilNoSocket({});
      const clock = client.tcp();
      const then = timestampClock(clock);
      await until('the clock of the timestamps moves on', () => timestampClock(clock) > then + 1);
      clock.close();
    });
    await step('the client connects again: a newer timestamp, a smaller sequence number', () =>
      connect(NEWER, FIRST_SEQ / 2),
    );
    await step('the client connects again: an older timestamp, a larger sequence number', () =>
      connect(OLDER, 2 * FIRST_SEQ),
    );
  },
  expectations({ expect, net: { client, server }, version: [major, minor] }) {
    const syn = { flags: 'S', sport: OLDER, seq: 2 * FIRST_SEQ };
    expect.trace({ flags: 'S', sport: NEWER, seq: FIRST_SEQ / 2 }).toBeSentAgain(client, { times: 0, first: [0, 0] });
    expect.trace(syn).toBeSentAgain(client, { times: 1, first: [0.001, 0.5] });
    expect
      .trace(syn)
      .toBeDroppedAt(
        'tcp_v4_rcv',
        byKernel({ '<5.18': undefined, '5.18-6.14': 'NOT_SPECIFIED', '>=6.15': 'TCP_RFC7323_TW_PAWS' }),
      );
    expect.trace({ flags: 'A', dport: OLDER, ack: FIRST_SEQ + 3 }).toHaveOutcome('rejected');
    expect.trace({ flags: 'R', sport: OLDER }).toBeSeen(1);
    expect.trace({ flags: 'R', sport: OLDER }).toHaveOutcome('worked');
    const isOld = major < 6 || (major === 6 && minor < 15);
    expect.counter(isOld ? 'PAWSEstab' : 'PAWSTimewait', { on: server }).toRise(1);
    expect.counter('TCPSynRetrans', { on: client }).toRise(1);
    expect.counter('OutRsts', { on: client }).toRise(1);
    expect.counter('PassiveOpens', { on: server }).toRise(4);
    expect.socket({ state: 'ESTABLISHED', on: server }).toRemain(2);
    expect.socket('TIME_WAIT').toNotRemain();
    expect.connection({ clientPort: OLDER }).toHaveCause('connection-open');
  },
});
